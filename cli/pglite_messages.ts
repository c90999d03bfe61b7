/**
 * The few messages of PostgreSQL's protocol, version 3.0, that a server in front of PGlite must read or
 * write itself: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { Buffer } from 'node:buffer';

export const PROTOCOL_3_0 = 196_608;
export const SSL_REQUEST = 80_877_103;
export const GSSENC_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;

/** Messages of a client by the character that stands for them. */
export const CLIENT = {
  bind: 0x42,
  close: 0x43,
  describe: 0x44,
  flush: 0x48,
  parse: 0x50,
  password: 0x70,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
} as const;

const STATEMENT = 0x53;

/** The status that ends an answer: no transaction, within one, within a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E';

/** A message: its character, its length (counting itself), its parts. */
export function message(type: string, ...parts: (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => typeof part === 'string' ? Buffer.from(part) : part),
  );
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** An ErrorResponse; the client shows `text` and reads the SQLSTATE. */
export function errorResponse(severity: 'ERROR' | 'FATAL', sqlstate: string, text: string): Buffer {
  return message('E', `S${severity}\0V${severity}\0C${sqlstate}\0M${text}\0\0`);
}

export const ASK_PASSWORD = message('R', int32(3));
export const SYNC = message('S');

/** What a client is told once it may send queries. */
export function greeting(connectionId: number, serverVersion: string): Buffer {
  const parameters = {
    server_version: serverVersion,
    server_encoding: 'UTF8',
    client_encoding: 'UTF8',
    DateStyle: 'ISO, MDY',
    TimeZone: 'UTC',
    integer_datetimes: 'on',
    standard_conforming_strings: 'on',
  };
  return Buffer.concat([
    message('R', int32(0)),
    ...Object.entries(parameters).map(([name, value]) => message('S', `${name}\0${value}\0`)),
    message('K', int32(connectionId), int32(0)),
    message('Z', 'I'),
  ]);
}

/** Asks to forget a named statement. */
export function closeStatement(name: string): Buffer {
  return message('C', `S${name}\0`);
}

/**
 * The name of the prepared statement that a message makes or uses, with the bytes around it; null for
 * messages without one and for the unnamed statement.
 */
export function statementName(frame: Buffer): StatementName | null {
  const at = nameOffset(frame);
  if (at === null) return null;
  const end = frame.indexOf(0, at);
  if (end <= at) return null;
  return {
    before: frame.subarray(5, at),
    name: frame.toString('utf8', at, end),
    after: frame.subarray(end),
  };
}

export interface StatementName {
  before: Buffer;
  name: string;
  after: Buffer;
}

function nameOffset(frame: Buffer): number | null {
  switch (frame[0] ?? 0) {
    case CLIENT.parse:
      return 5;
    case CLIENT.bind: {
      // The portal's name comes first.
      const portalEnd = frame.indexOf(0, 5);
      return portalEnd < 0 ? null : portalEnd + 1;
    }
    case CLIENT.describe:
    case CLIENT.close:
      return frame[5] === STATEMENT ? 6 : null;
    default:
      return null;
  }
}
