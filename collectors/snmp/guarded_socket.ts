import { createSocket, type RemoteInfo, type Socket, type SocketType } from 'node:dgram';

/** `dgram`, as net-snmp takes it. */
export interface GuardedSockets {
  createSocket(type: SocketType): Socket;
}

export interface SocketGuard {
  /** False for a datagram that is to be taken for none. */
  accepts(datagram: Uint8Array, from: { address: string; port: number }): boolean;
  /** What net-snmp fails at: its own errors, and what else a hostile answer may bring about. */
  failed(error: Error): void;
}

/**
 * Sockets that stand between the network and net-snmp, whose listeners neither look at who sent a datagram
 * nor are safe from exceptions, which would end the worker.
 */
export function guardedSockets(guard: SocketGuard): GuardedSockets {
  return {
    createSocket: (type) => {
      const socket = createSocket(type);
      const on = socket.on.bind(socket) as (name: string, listener: unknown) => Socket;
      const guarded = (name: string, listener: unknown): Socket => {
        if (name !== 'message') return on(name, listener);
        const hear = listener as MessageListener;
        return on(name, (datagram: Uint8Array, from: RemoteInfo) => {
          if (!guard.accepts(datagram, from)) return;
          try {
            hear(datagram, from);
          } catch (error) {
            guard.failed(error instanceof Error ? error : new Error(String(error)));
          }
        });
      };
      return Object.assign(socket, { on: guarded });
    },
  };
}

type MessageListener = (datagram: Uint8Array, from: RemoteInfo) => void;

const REPORT = 0xa8;
const AUTHENTICATED = 1;

/**
 * True of an SNMPv3 message that says of itself that it is authenticated, or is a report: net-snmp checks the
 * digest of the former, but takes an answer that has none as it is. Reports carry no values.
 */
export function isSignedOrReport(message: Uint8Array): boolean {
  try {
    const fields = new BerFields(message);
    fields.enter();
    fields.skip();
    const header = fields.take();
    const flags = new BerFields(header);
    flags.skip();
    flags.skip();
    const [flag = 0] = flags.take();
    if ((flag & AUTHENTICATED) !== 0) return true;
    fields.skip();
    const scoped = new BerFields(fields.take());
    scoped.skip();
    scoped.skip();
    return scoped.tag() === REPORT;
  } catch {
    return false;
  }
}

/** Just enough of BER to step from field to field. */
class BerFields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  tag(): number {
    return this.#byte(this.#at);
  }

  /** Goes into a field. */
  enter(): void {
    this.#at += 1;
    this.#length();
  }

  skip(): void {
    this.take();
  }

  /** The content of a field, with the position behind it. */
  take(): Uint8Array {
    this.#at += 1;
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('The field is longer than the message');
    const content = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return content;
  }

  #length(): number {
    const first = this.#byte(this.#at);
    this.#at += 1;
    if (first < 0x80) return first;
    let length = 0;
    for (let count = first & 0x7f; count > 0; count -= 1) {
      length = length * 256 + this.#byte(this.#at);
      this.#at += 1;
    }
    return length;
  }

  #byte(index: number): number {
    const byte = this.#bytes[index];
    if (byte === undefined) throw new RangeError('The message ends within a field');
    return byte;
  }
}
