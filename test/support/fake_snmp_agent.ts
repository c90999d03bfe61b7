import { Buffer } from 'node:buffer';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** An object's value as it goes over the wire. */
export type FakeValue =
  | { integer: number }
  | { counter32: number }
  | { gauge32: number }
  | { counter64: bigint }
  | { text: string }
  | { bytes: string }
  | { oid: string };

/** An agent of SNMPv2c that says what a test wants, however wrong. */
export interface FakeAgent {
  readonly port: number;
  readonly requests: number;
  close(): Promise<void>;
}

export interface FakeAgentOptions {
  community?: string;
  /** What is answered instead. Null for no answer. */
  answer?: (request: Buffer) => Buffer | null;
  /** The next object in a walk instead of the right one. */
  next?: (oid: string) => string | null;
  /** Values of one answer. */
  maxVarbinds?: number;
}

const END_OF_MIB_VIEW = Buffer.from([0x82, 0]);
const NO_SUCH_OBJECT = Buffer.from([0x80, 0]);

export async function startFakeAgent(
  objects: Readonly<Record<string, FakeValue>>,
  options: FakeAgentOptions = {},
): Promise<FakeAgent> {
  const socket = createSocket('udp4');
  const sorted = Object.keys(objects).sort(compareOids);
  const following = options.next ??
    ((oid: string) => sorted.find((each) => compareOids(each, oid) > 0) ?? null);
  let requests = 0;
  socket.on('message', (request, from) => {
    requests += 1;
    const answer = options.answer === undefined
      ? answerOf(request, { objects, following, options })
      : options.answer(request);
    if (answer !== null) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    get requests() {
      return requests;
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function answerOf(
  request: Buffer,
  { objects, following, options }: {
    objects: Readonly<Record<string, FakeValue>>;
    following: (oid: string) => string | null;
    options: FakeAgentOptions;
  },
): Buffer | null {
  const [version, community, pdu] = fieldsOf(fieldsOf(request)[0]?.content);
  if (options.community !== undefined && community?.content.toString() !== options.community) {
    return null;
  }
  const [id, , count, list] = fieldsOf(pdu?.content);
  const asked = fieldsOf(list?.content).map(({ content }) =>
    oidText(fieldsOf(content)[0]?.content ?? Buffer.alloc(0))
  );
  const isBulk = pdu?.tag === 0xa5;
  const varbinds = isBulk
    ? walk(asked, count?.content.readUIntBE(0, count.content.length) ?? 1, following)
    : asked.map((oid): string | null => oid);
  const encoded = varbinds.slice(0, options.maxVarbinds).map((oid, index) => {
    const known = oid === null ? undefined : objects[oid];
    const name = oid ?? asked[index % asked.length] ?? '0.0';
    const missing = isBulk ? END_OF_MIB_VIEW : NO_SUCH_OBJECT;
    return field(0x30, field(6, oidBytes(name)), known === undefined ? missing : encode(known));
  });
  const body = field(
    0xa2,
    wrap(id),
    field(2, Buffer.from([0])),
    field(2, Buffer.from([0])),
    field(0x30, ...encoded),
  );
  return field(0x30, wrap(version), wrap(community), body);
}

function walk(
  asked: readonly string[],
  repetitions: number,
  following: (oid: string) => string | null,
): (string | null)[] {
  const rows: (string | null)[] = [];
  let last: (string | null)[] = [...asked];
  for (let row = 0; row < repetitions; row += 1) {
    last = last.map((oid) => oid === null ? null : following(oid));
    rows.push(...last);
  }
  return rows;
}

function encode(value: FakeValue): Buffer {
  if ('integer' in value) return field(2, signed(BigInt(value.integer)));
  if ('counter32' in value) return field(0x41, unsigned(BigInt(value.counter32)));
  if ('gauge32' in value) return field(0x42, unsigned(BigInt(value.gauge32)));
  if ('counter64' in value) return field(0x46, unsigned(value.counter64));
  if ('oid' in value) return field(6, oidBytes(value.oid));
  return field(4, 'text' in value ? Buffer.from(value.text) : Buffer.from(value.bytes, 'hex'));
}

function unsigned(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
}

function signed(value: bigint): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(Number(value));
  return bytes;
}

interface Field {
  tag: number;
  content: Buffer;
}

function fieldsOf(bytes: Buffer = Buffer.alloc(0)): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? 0;
    at += 2;
    if (length >= 0x80) {
      const size = length & 0x7f;
      length = bytes.readUIntBE(at, size);
      at += size;
    }
    fields.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

/** A field of BER. */
export function field(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length = content.length < 0x80
    ? [content.length]
    : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function wrap(known: Field | undefined): Buffer {
  return field(known?.tag ?? 5, known?.content ?? Buffer.alloc(0));
}

function oidBytes(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const digits = [number & 0x7f];
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128)) {
      digits.unshift((left & 0x7f) | 0x80);
    }
    return digits;
  });
  return Buffer.from(bytes);
}

function oidText(bytes: Buffer): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const [first = 0, ...rest] = numbers;
  return [Math.floor(first / 40), first % 40, ...rest].join('.');
}

function compareOids(left: string, right: string): number {
  const [a, b] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? -1) - (b[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}
