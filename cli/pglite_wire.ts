import { Buffer } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { PGlite } from '@electric-sql/pglite';
import { errorMessage } from '../meters/errors.ts';
import {
  ASK_PASSWORD,
  CANCEL_REQUEST,
  CLIENT,
  closeStatement,
  errorResponse,
  greeting,
  GSSENC_REQUEST,
  message,
  PROTOCOL_3_0,
  SSL_REQUEST,
  statementName,
  SYNC,
  type TransactionStatus,
} from './pglite_messages.ts';

/**
 * PGlite is one backend with one session. This server lets many clients share it: each has the session
 * to itself from its first message to the end of its transaction, prepared statements carry the client's
 * number in their names, and what a client leaves behind when it goes is rolled back and closed.
 *
 * (`@electric-sql/pglite-socket` 0.2.17 does not keep the names of prepared statements apart, so that
 * two pools that use the same name fail with `prepared statement already exists`.)
 *
 * Not kept apart: `SET`, temporary tables, session advisory locks. Not supported: `COPY … FROM STDIN`,
 * cancellation, and portals read in parts with Flush.
 */
export interface WireOptions {
  /** 0 for any free port. */
  port: number;
  /** Asked of each client; without it anyone on this machine may connect. */
  password?: string;
  /** A client that holds the session in an idle transaction longer than this is cut off. */
  idleInTransactionMs?: number;
  /** PGlite itself failed: nothing can be served any more. */
  onFatal: (error: Error) => void;
}

const IDLE_IN_TRANSACTION_MS = 60_000;
const MAX_CONNECTIONS = 100;
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

export class WireServer {
  readonly #server: Server;
  readonly #session: Session;
  readonly #clients = new Set<Client>();
  readonly #options: WireOptions;

  constructor(db: PGlite, serverVersion: string, options: WireOptions) {
    this.#options = options;
    this.#session = new Session(db, options);
    let connections = 0;
    this.#server = createServer({ noDelay: true }, (socket) => {
      connections += 1;
      const client = new Client(connections, socket, {
        session: this.#session,
        serverVersion,
        password: options.password,
        isFull: this.#clients.size >= MAX_CONNECTIONS,
      });
      this.#clients.add(client);
      socket.on('close', () => this.#clients.delete(client));
    });
  }

  /** Listens on 127.0.0.1. @returns the port */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Takes no more clients, cuts the present ones off and waits until the session is clean. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const client of this.#clients) client.cut('57P01', 'the server is shutting down');
    await closed;
    await this.#session.idle();
  }
}

/** One turn of a client: whole messages up to a Sync or a simple query. */
interface Turn {
  client: Client;
  bytes: Uint8Array;
}

/** Gives PGlite's one session to one client at a time, in the order of asking. */
class Session {
  readonly #db: PGlite;
  readonly #options: WireOptions;
  readonly #turns: Turn[] = [];
  #owner: Client | null = null;
  #isRunning = false;
  #run: Promise<void> = Promise.resolve();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(db: PGlite, options: WireOptions) {
    this.#db = db;
    this.#options = options;
  }

  take(turn: Turn): void {
    this.#turns.push(turn);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#run = this.#takeTurns();
  }

  async idle(): Promise<void> {
    await this.#run;
  }

  async #takeTurns(): Promise<void> {
    for (let turn = this.#next(); turn !== undefined; turn = this.#next()) {
      clearTimeout(this.#idleTimer);
      const status = await this.#execute(turn);
      this.#owner = status === 'I' ? null : turn.client;
    }
    // In the same step as the last look for a turn: one that comes later starts a run of its own.
    this.#isRunning = false;
    const owner = this.#owner;
    if (owner === null) return;
    this.#idleTimer = setTimeout(
      () => owner.cut('25P03', 'the transaction was idle too long'),
      this.#options.idleInTransactionMs ?? IDLE_IN_TRANSACTION_MS,
    );
  }

  #next(): Turn | undefined {
    const owner = this.#owner;
    if (owner === null) return this.#turns.shift();
    const index = this.#turns.findIndex((turn) => turn.client === owner);
    return index < 0 ? undefined : this.#turns.splice(index, 1)[0];
  }

  async #execute({ client, bytes }: Turn): Promise<TransactionStatus> {
    let tail: Uint8Array = new Uint8Array();
    try {
      await this.#db.runExclusive(() =>
        this.#db.execProtocolRawStream(bytes, {
          onRawData: (chunk) => {
            // PGlite uses its buffer again: copy before the socket is done with it.
            const copy = Buffer.from(chunk);
            tail = copy.length >= 6 ? copy.subarray(-6) : Buffer.concat([tail, copy]).subarray(-6);
            client.answer(copy);
          },
        })
      );
    } catch (error) {
      client.cut('XX000', `PGlite failed: ${errorMessage(error)}`);
      this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
    // A whole turn is answered by ReadyForQuery last: 'Z', a length of 5, the status.
    const status = tail[0] === 0x5a ? String.fromCharCode(tail[5] ?? 0) : 'I';
    return status === 'T' || status === 'E' ? status : 'I';
  }
}

interface ClientOptions {
  session: Session;
  serverVersion: string;
  password: string | undefined;
  isFull: boolean;
}

class Client {
  readonly #id: number;
  readonly #socket: Socket;
  readonly #options: ClientOptions;
  readonly #statements = new Set<string>();
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #neededBytes = 8;
  #turn: Buffer[] = [];
  #stage: 'startup' | 'password' | 'ready' | 'gone' = 'startup';

  constructor(id: number, socket: Socket, options: ClientOptions) {
    this.#id = id;
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk) => this.#receive(chunk));
    // Without a listener Node would end the process; 'close' follows and does the work.
    socket.on('error', () => {});
    socket.on('close', () => this.#leave());
  }

  answer(bytes: Buffer): void {
    if (this.#stage !== 'gone' && this.#socket.writable) this.#socket.write(bytes);
  }

  /** Tells the client why, closes its connection and cleans up after it. */
  cut(sqlstate: string, reason: string): void {
    this.answer(errorResponse('FATAL', sqlstate, reason));
    this.#socket.destroySoon();
    this.#leave();
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    // A long message comes in many chunks: join them once, when it is whole.
    if (this.#receivedBytes < this.#neededBytes) return;
    let bytes = Buffer.concat(this.#received);
    let length = this.#frameLength(bytes);
    while (length !== null && length <= bytes.length && this.#stage !== 'gone') {
      this.#handle(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
      length = this.#frameLength(bytes);
    }
    this.#received = [bytes];
    this.#receivedBytes = bytes.length;
    this.#neededBytes = length ?? 5;
  }

  /** Bytes of the first message, null while its length is not there yet. */
  #frameLength(bytes: Buffer): number | null {
    const typeBytes = this.#stage === 'startup' ? 0 : 1;
    if (bytes.length < typeBytes + 4) return null;
    const length = bytes.readInt32BE(typeBytes);
    if (length < 4 || length > MAX_MESSAGE_BYTES) {
      this.cut('08P01', `a message of ${length} bytes is not one of the protocol`);
      return null;
    }
    return length + typeBytes;
  }

  #handle(frame: Buffer): void {
    if (this.#stage === 'startup') this.#start(frame);
    else if (this.#stage === 'password') this.#checkPassword(frame);
    else if (frame[0] === CLIENT.terminate) this.#socket.end();
    else this.#collect(frame);
  }

  #start(frame: Buffer): void {
    const code = frame.length >= 8 ? frame.readInt32BE(4) : 0;
    if (code === SSL_REQUEST || code === GSSENC_REQUEST) this.#socket.write('N');
    else if (code === CANCEL_REQUEST) this.#socket.destroy();
    else if (code >> 16 !== PROTOCOL_3_0 >> 16) {
      this.cut('0A000', 'only protocol 3.0 is spoken here');
    } else if (this.#options.isFull) this.cut('53300', `more than ${MAX_CONNECTIONS} connections`);
    else if (this.#options.password === undefined) this.#welcome();
    else {
      this.#stage = 'password';
      this.#socket.write(ASK_PASSWORD);
    }
  }

  #checkPassword(frame: Buffer): void {
    const wanted = Buffer.from(`${this.#options.password}\0`);
    const given = frame.subarray(5);
    const isRight = frame[0] === CLIENT.password && given.length === wanted.length &&
      timingSafeEqual(given, wanted);
    if (isRight) this.#welcome();
    else this.cut('28P01', 'the password is wrong');
  }

  #welcome(): void {
    this.#stage = 'ready';
    this.#socket.write(greeting(this.#id, this.#options.serverVersion));
  }

  #collect(frame: Buffer): void {
    // Flush asks for an answer before Sync. Nobody else may have the session in between, and PGlite
    // answers at once anyway.
    if (frame[0] === CLIENT.flush) return;
    this.#turn.push(this.#rename(frame));
    if (frame[0] === CLIENT.sync || frame[0] === CLIENT.query) {
      this.#options.session.take({ client: this, bytes: Buffer.concat(this.#turn) });
      this.#turn = [];
    }
  }

  #rename(frame: Buffer): Buffer {
    const found = statementName(frame);
    if (found === null) return frame;
    const name = `c${this.#id}_${found.name}`;
    if (frame[0] === CLIENT.parse) this.#statements.add(name);
    if (frame[0] === CLIENT.close) this.#statements.delete(name);
    return message(String.fromCharCode(frame[0] ?? 0), found.before, name, found.after);
  }

  #leave(): void {
    if (this.#stage === 'gone') return;
    this.#stage = 'gone';
    const closing = [...this.#statements].map(closeStatement);
    // A ROLLBACK outside a transaction is only a warning.
    const bytes = Buffer.concat([message('Q', 'ROLLBACK\0'), ...closing, SYNC]);
    this.#options.session.take({ client: this, bytes });
  }
}
