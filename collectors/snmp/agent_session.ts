import { lookup } from 'node:dns/promises';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { ReadSecret } from '../secret_reference.ts';
import { guardedSockets, isSignedOrReport } from './guarded_socket.ts';
import {
  netSnmp,
  type NetSnmpOptions,
  type NetSnmpSession,
  OBJECT_TYPES,
  type Varbind,
} from './net_snmp.ts';
import type { SnmpAccess } from './settings_schema.ts';
import { snmpError } from './snmp_error.ts';

/** An agent, and what it is spared. */
export interface AgentTarget {
  host: string;
  port: number;
  access: SnmpAccess;
}

export interface AgentLimits {
  timeoutMs: number;
  retries: number;
  maxRows: number;
}

/** Columns of a table by our names: the number of each. */
export type Columns<Name extends string> = Readonly<Record<Name, number>>;
/** The cells of a row that are there. */
export type Row<Name extends string> = Readonly<Partial<Record<Name, Varbind>>>;

/** Values asked for in one datagram; agents cut what does not fit. */
const MAX_VARBINDS = 60;
/** Characters of an object's name; the longest index of the tables here has 4 numbers. */
const MAX_OID_LENGTH = 512;

/**
 * A conversation with one agent. All waits end with the signal.
 *
 * @throws {NephoError} each method a reason of a gap
 */
export class AgentSession {
  readonly #agent: string;
  readonly #session: NetSnmpSession;
  readonly #limits: AgentLimits;
  readonly #signal: AbortSignal;
  #fail: (error: NephoError) => void = () => {};

  /** @throws {NephoError} `unreachable` if the name is not known, what `secret` throws */
  static async open(
    target: AgentTarget,
    limits: AgentLimits,
    { secret, signal }: { secret: ReadSecret; signal: AbortSignal },
  ): Promise<AgentSession> {
    const agent = nameOf(target);
    const found = await unlessAborted(lookup(target.host), { signal, agent });
    const keys = await unlessAborted(keysOf(target.access, secret), { signal, agent });
    return new AgentSession({ target, address: found, keys }, limits, signal);
  }

  private constructor(
    { target, address, keys }: {
      target: AgentTarget;
      address: { address: string; family: number };
      keys: AgentKeys;
    },
    limits: AgentLimits,
    signal: AbortSignal,
  ) {
    this.#agent = nameOf(target);
    this.#limits = limits;
    this.#signal = signal;
    const isSigned = keys.version === '3';
    const options: NetSnmpOptions = {
      version: isSigned ? netSnmp.Version3 : netSnmp.Version2c,
      port: target.port,
      transport: address.family === 6 ? 'udp6' : 'udp4',
      timeout: limits.timeoutMs,
      retries: limits.retries,
      // The order is looked at here: only within the table it is worth a failure.
      backwardsGetNexts: true,
      dgramModule: guardedSockets({
        // A community proves nothing, so that at least the sender must be right.
        accepts: (datagram, from) =>
          isSigned ? isSignedOrReport(datagram) : from.address === address.address,
        failed: (error) => this.#fail(snmpError(error, this.#agent)),
      }),
    };
    this.#session = keys.version === '3'
      ? netSnmp.createV3Session(address.address, keys.user, { ...options, context: keys.context })
      : netSnmp.createSession(address.address, keys.community, options);
    this.#session.on('error', (error) => this.#fail(snmpError(error, this.#agent)));
  }

  /** The objects that are there, by their names. */
  async get(oids: readonly string[]): Promise<Map<string, Varbind>> {
    const found = new Map<string, Varbind>();
    for (let start = 0; start < oids.length; start += MAX_VARBINDS) {
      const asked = oids.slice(start, start + MAX_VARBINDS);
      const answer = await this.#ask<Varbind[]>((done) => this.#session.get(asked, done));
      for (const varbind of answer) {
        if (asked.includes(varbind.oid) && isThere(varbind)) found.set(varbind.oid, varbind);
      }
    }
    return found;
  }

  /**
   * The rows of a table by their indexes (`1`, `127.0.0.1`), in the agent's order.
   *
   * @param base the object of the table's entry
   * @throws {NephoError} also `too_large` for more rows than allowed, `paging_loop` if it goes backwards
   */
  async table<Name extends string>(
    base: string,
    columns: Columns<Name>,
  ): Promise<Map<string, Row<Name>>> {
    const walk = new TableWalk(base, columns, {
      agent: this.#agent,
      maxRows: this.#limits.maxRows,
    });
    for (let next = walk.next(); next.length > 0; next = walk.next()) {
      const repetitions = Math.max(1, Math.floor(MAX_VARBINDS / next.length));
      const answer = await this.#ask<Varbind[][]>((done) =>
        this.#session.getBulk(next, 0, repetitions, done)
      );
      walk.take(answer);
    }
    return walk.rows;
  }

  close(): void {
    this.#session.close();
  }

  /** One question; its answer, its failure, or the end of the time. */
  async #ask<T>(ask: (done: (error: Error | null, answer: T) => void) => void): Promise<T> {
    const answered = new Promise<T>((resolve, reject) => {
      this.#fail = reject;
      ask((error, answer) => error === null ? resolve(answer) : reject(error));
    });
    return await unlessAborted(answered, { signal: this.#signal, agent: this.#agent });
  }
}

type AgentKeys =
  | { version: '2c'; community: string }
  | { version: '3'; user: Parameters<typeof netSnmp.createV3Session>[1]; context: string };

async function keysOf(access: SnmpAccess, secret: ReadSecret): Promise<AgentKeys> {
  if (access.version === '2c') {
    return { version: '2c', community: await secret(access.community) };
  }
  const { AuthProtocols, PrivProtocols, SecurityLevel } = netSnmp;
  const { privacy } = access;
  const user = {
    name: access.user,
    level: privacy === null ? SecurityLevel.authNoPriv : SecurityLevel.authPriv,
    authProtocol: AuthProtocols[access.authProtocol] ?? 0,
    authKey: await secret(access.authKey),
  };
  if (privacy === null) return { version: '3', user, context: access.context };
  const privProtocol = PrivProtocols[privacy.protocol] ?? 0;
  const privKey = await secret(privacy.key);
  return { version: '3', user: { ...user, privProtocol, privKey }, context: access.context };
}

/** A walk through the columns of a table side by side. */
class TableWalk<Name extends string> {
  readonly rows = new Map<string, Partial<Record<Name, Varbind>>>();
  readonly #agent: string;
  readonly #maxRows: number;
  /** The columns that have not come to their end, with what was read last of each. */
  #open: { name: Name; prefix: string; last: string }[];

  constructor(
    base: string,
    columns: Columns<Name>,
    { agent, maxRows }: { agent: string; maxRows: number },
  ) {
    this.#agent = agent;
    this.#maxRows = maxRows;
    this.#open = (Object.keys(columns) as Name[]).map((name) => {
      const column = `${base}.${columns[name]}`;
      return { name, prefix: `${column}.`, last: column };
    });
  }

  next(): string[] {
    return this.#open.map(({ last }) => last);
  }

  take(answer: readonly (readonly Varbind[])[]): void {
    this.#open = this.#open.filter((column, index) => {
      const varbinds = answer[index] ?? [];
      for (const varbind of varbinds) {
        const { oid } = varbind;
        if (!isThere(varbind) || !oid.startsWith(column.prefix)) return false;
        if (oid.length > MAX_OID_LENGTH || !comesAfter(oid, column.last)) {
          throw this.#cannot('paging_loop', `it names '${column.last}' and then '${oid}'`);
        }
        column.last = oid;
        this.#put(oid.slice(column.prefix.length), column.name, varbind);
      }
      // An agent that answers nothing more of a column has no more of it.
      return varbinds.length > 0;
    });
  }

  #put(index: string, name: Name, varbind: Varbind): void {
    const row: Partial<Record<Name, Varbind>> = this.rows.get(index) ?? {};
    row[name] = varbind;
    this.rows.set(index, row);
    if (this.rows.size > this.#maxRows) {
      throw this.#cannot('too_large', `a table has more than ${this.#maxRows} rows`);
    }
  }

  #cannot(reason: 'paging_loop' | 'too_large', what: string): NephoError {
    return new NephoError(
      reason,
      `Cannot read a table of the SNMP agent '${this.#agent}': ${what}`,
    );
  }
}

function nameOf({ host, port }: AgentTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function isThere({ type }: Varbind): boolean {
  return type !== OBJECT_TYPES.noSuchObject && type !== OBJECT_TYPES.noSuchInstance &&
    type !== OBJECT_TYPES.endOfMibView;
}

/** The order of SNMP: number by number. */
function comesAfter(oid: string, last: string): boolean {
  const [left, right] = [oid.split('.'), last.split('.')];
  for (let index = 0; index < right.length; index += 1) {
    const difference = Number(left[index] ?? -1) - Number(right[index]);
    if (difference !== 0) return difference > 0;
  }
  return left.length > right.length;
}

async function unlessAborted<T>(
  work: Promise<T>,
  { signal, agent }: { signal: AbortSignal; agent: string },
): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () =>
      reject(
        new NephoError('timeout', `Cannot ask the SNMP agent '${agent}': its time is up`, {
          retryable: true,
          context: { agent },
        }),
      );
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    // The other of both may fail later, when nobody listens.
    work.catch(() => {});
    if (isNephoError(error)) throw error;
    throw snmpError(error instanceof Error ? error : new Error(String(error)), agent);
  } finally {
    signal.removeEventListener('abort', stop);
    aborted.catch(() => {});
  }
}
