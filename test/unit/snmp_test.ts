import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createCipheriv, getCiphers } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import type { PollContext } from '../../collectors/polling/pollster.ts';
import { aesCfb } from '../../collectors/snmp/aes_cfb.ts';
import { createSnmpCollector } from '../../collectors/snmp/collector.ts';
import { isSignedOrReport } from '../../collectors/snmp/guarded_socket.ts';
import { snmpSettingsSchema } from '../../collectors/snmp/settings_schema.ts';
import { isNephoError } from '../../meters/errors.ts';
import {
  type FakeAgentOptions,
  type FakeValue,
  field,
  startFakeAgent,
} from '../support/fake_snmp_agent.ts';
import {
  discovered,
  pollUnit,
  recordingPollContext,
  volumesOf,
} from '../support/recording_poll_context.ts';

const UCD = '1.3.6.1.4.1.2021';
const IF = '1.3.6.1.2.1.2.2.1';
const IFX = '1.3.6.1.2.1.31.1.1.1';

/** A big host with old and new counters beside each other. */
const OBJECTS: Record<string, FakeValue> = {
  [`${UCD}.10.1.3.1`]: { text: '0.52' },
  [`${UCD}.10.1.3.2`]: { text: '12.00' },
  [`${UCD}.10.1.3.3`]: { text: 'none' },
  '1.3.6.1.2.1.25.3.3.1.2.196608': { integer: 10 },
  '1.3.6.1.2.1.25.3.3.1.2.196609': { integer: 21 },
  '1.3.6.1.2.1.25.3.3.1.2.196610': { integer: 0 },
  [`${UCD}.4.5.0`]: { integer: 2_147_483_647 },
  [`${UCD}.4.6.0`]: { integer: 2_147_483_647 },
  [`${UCD}.4.20.0`]: { counter64: 4_294_967_296n },
  [`${UCD}.4.21.0`]: { counter64: 1_000n },
  [`${UCD}.4.14.0`]: { integer: 7_216 },
  [`${UCD}.4.15.0`]: { integer: -5 },
  [`${UCD}.11.50.0`]: { counter32: 4_294_967_295 },
  [`${UCD}.11.57.0`]: { counter32: 12 },
  '1.3.6.1.2.1.4.3.0': { counter32: 4_367_646 },
  '1.3.6.1.2.1.4.31.1.1.4.1': { counter64: 18_446_744_073_709_551_615n },
  '1.3.6.1.2.1.4.10.0': { counter32: 7 },
  ...row(`${UCD}.9.1`, 1, {
    2: { text: '/' },
    3: { text: '/dev/vda' },
    6: { integer: 2_147_483_647 },
    8: { integer: 2_147_483_647 },
    11: { gauge32: 1 },
    12: { gauge32: 2 },
    15: { gauge32: 3 },
    16: { gauge32: 1 },
  }),
  ...row(`${UCD}.9.1`, 2, {
    2: { text: '/run' },
    3: { text: 'tmpfs' },
    6: { integer: 100 },
    8: { integer: 1 },
  }),
  ...row(`${UCD}.9.1`, 3, {
    2: { text: '/tmp' },
    3: { text: 'tmpfs' },
    6: { integer: 200 },
  }),
  ...row(`${UCD}.13.15.1.1`, 5, {
    2: { text: 'vda\0garbage' },
    3: { counter32: 5 },
    4: { counter32: 6 },
    5: { counter32: 7 },
    6: { counter32: 8 },
    12: { counter64: 9_007_199_254_740_993n },
  }),
  ...row(IF, 1, {
    2: { text: 'lo' },
    5: { gauge32: 10_000_000 },
    6: { bytes: '' },
    10: { counter32: 1 },
    16: { counter32: 2 },
    20: { counter32: 3 },
  }),
  ...row(IF, 2, {
    2: { text: 'eth0' },
    5: { gauge32: 4_294_967_295 },
    6: { bytes: '02fc00000001' },
    10: { counter32: 4 },
    16: { counter32: 5 },
    20: { counter32: 6 },
  }),
  ...row(IFX, 2, {
    6: { counter64: 25_460_118_040n },
    10: { counter64: 99_999_999_999n },
    15: { gauge32: 25_000 },
  }),
  '1.3.6.1.2.1.4.20.1.2.127.0.0.1': { integer: 1 },
  '1.3.6.1.2.1.4.20.1.2.192.0.2.2': { integer: 2 },
  '1.3.6.1.2.1.4.20.1.2.192.0.2.3': { integer: 2 },
};

function row(
  table: string,
  index: number,
  cells: Readonly<Record<number, FakeValue>>,
): Record<string, FakeValue> {
  return Object.fromEntries(
    Object.entries(cells).map(([column, value]) => [`${table}.${column}.${index}`, value]),
  );
}

/** Seconds; long enough for an answer on the loopback of a busy machine. */
const PATIENT = { timeout: 5, retries: 0 };

async function poll(
  objects: Readonly<Record<string, FakeValue>>,
  { agent: options = {}, settings = {}, context: changes = {} }: {
    agent?: FakeAgentOptions;
    settings?: Record<string, unknown>;
    context?: Partial<PollContext>;
  } = {},
) {
  const agent = await startFakeAgent(objects, { community: 'sesame', ...options });
  try {
    const collector = createSnmpCollector(
      snmpSettingsSchema.parse({
        ...PATIENT,
        access: { version: '2c', community_env: 'COMMUNITY' },
        targets: [{ host: '127.0.0.1', port: agent.port, resource_id: 'node-1' }],
        ...settings,
      }),
      { secret: () => Promise.resolve('sesame') },
    );
    const context = recordingPollContext(changes);
    const units = await discovered(collector, context);
    const readings = await pollUnit(collector, units.get('node-1'), context);
    return { readings, context, volumes: volumesOf(readings), requests: agent.requests };
  } finally {
    await agent.close();
  }
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => null, (caught: unknown) => caught);
  assert(isNephoError(error), String(error));
  assert(!error.message.includes('sesame') && !JSON.stringify(error.context).includes('sesame'));
  return `${error.code}: ${error.message}`;
}

test('a host gives every meter exactly, by the counter with the most bits', async () => {
  const { volumes, context, readings } = await poll(OBJECTS);
  for (
    const [key, volume] of [
      ['hardware.cpu.load.1min node-1', '0.52 process'],
      ['hardware.cpu.load.5min node-1', '12 process'],
      ['hardware.cpu.util node-1', '10.333333 %'],
      ['hardware.cpu.user node-1', '4294967295 tick'],
      ['hardware.memory.total node-1', '4294967296 KB'],
      ['hardware.memory.used node-1', '4294966296 KB'],
      ['hardware.memory.buffer node-1', '7216 KB'],
      ['hardware.network.ip.incoming.datagrams node-1', '18446744073709551615 datagrams'],
      ['hardware.network.ip.outgoing.datagrams node-1', '7 datagrams'],
      ['hardware.system_stats.io.outgoing.blocks node-1', '12 blocks'],
      ['hardware.disk.size.total node-1./dev/vda', '8589934593 KB'],
      ['hardware.disk.size.used node-1./dev/vda', '4294967299 KB'],
      ['hardware.disk.size.total node-1.tmpfs./run', '100 KB'],
      ['hardware.disk.size.total node-1.tmpfs./tmp', '200 KB'],
      ['hardware.disk.read.bytes node-1.vda', '9007199254740993 B'],
      ['hardware.disk.write.bytes node-1.vda', '6 B'],
      ['hardware.disk.write.requests node-1.vda', '8 requests'],
      ['hardware.network.incoming.bytes node-1.lo', '1 B'],
      ['hardware.network.outgoing.errors node-1.lo', '3 packet'],
      ['hardware.network.incoming.bytes node-1.eth0', '25460118040 B'],
      ['hardware.network.outgoing.bytes node-1.eth0', '99999999999 B'],
    ] as const
  ) assert.equal(volumes.get(key), volume, key);
  assert.deepEqual(context.gaps.map(({ unit, meter, reason }) => `${unit} ${meter} ${reason}`), [
    'node-1 hardware.cpu.load.15min value_invalid',
    ...['nice', 'system', 'idle', 'wait', 'kernel', 'interrupt']
      .map((kind) => `node-1 hardware.cpu.${kind} service_absent`),
    'node-1 hardware.memory.cached value_invalid',
    'node-1 hardware.memory.swap.total service_absent',
    'node-1 hardware.memory.swap.avail service_absent',
    'node-1 hardware.system_stats.cpu.idle service_absent',
    'node-1 hardware.system_stats.io.incoming.blocks service_absent',
    // Of /tmp.
    'node-1 hardware.disk.size.used service_absent',
  ]);
  assert(readings.every(({ project_id, user_id }) => project_id === null && user_id === null));
});

test('metadata names the device, and the host without its credentials', async () => {
  const { readings } = await poll(OBJECTS);
  const metadataOf = (resource: string) =>
    readings.find(({ resource_id }) => resource_id === resource)?.metadata;
  const resource_url = readings[0]?.metadata['resource_url'];
  assert(typeof resource_url === 'string');
  assert.match(resource_url, /^snmp:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(metadataOf('node-1./dev/vda'), { path: '/', device: '/dev/vda', resource_url });
  assert.deepEqual(metadataOf('node-1.vda'), { device: 'vda', resource_url });
  assert.deepEqual(metadataOf('node-1.eth0'), {
    name: 'eth0',
    mac: '02fc00000001',
    ip: '192.0.2.2',
    speed: 3_125_000_000,
    resource_url,
  });
  assert.deepEqual(metadataOf('node-1.lo'), {
    name: 'lo',
    mac: '',
    ip: '127.0.0.1',
    speed: 1_250_000,
    resource_url,
  });
});

test('without dskTable the fixed disks of hrStorageTable are read, without processors what is not idle', async () => {
  const storage = '1.3.6.1.2.1.25.2.3.1';
  const { volumes } = await poll({
    [`${UCD}.11.11.0`]: { integer: 97 },
    ...row(storage, 1, { 2: { oid: '1.3.6.1.2.1.25.2.1.2' }, 3: { text: 'Physical memory' } }),
    ...row(storage, 31, {
      2: { oid: '1.3.6.1.2.1.25.2.1.4' },
      3: { text: 'C:\\' },
      4: { integer: 512 },
      5: { integer: 2_147_483_647 },
      6: { integer: 3 },
    }),
  });
  assert.deepEqual([...volumes], [
    ['hardware.cpu.util node-1', '3 %'],
    ['hardware.system_stats.cpu.idle node-1', '97 %'],
    ['hardware.disk.size.total node-1.C:\\', '1073741823.5 KB'],
    ['hardware.disk.size.used node-1.C:\\', '1.5 KB'],
  ]);
});

test('only what the source wants is asked', async () => {
  const wants = (meter: string) => meter === 'hardware.memory.total';
  const { readings, requests, context } = await poll(OBJECTS, { context: { wants } });
  assert.deepEqual(readings.map(({ meter }) => meter), ['hardware.memory.total']);
  assert.equal(requests, 1);
  assert.deepEqual(context.gaps, []);
});

test('a table is read whole however little an agent puts into one answer', async () => {
  const objects = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) =>
      row(IF, index + 1, {
        2: { text: `port${index + 1}` },
        10: { counter32: index },
      })).flatMap((cells) => Object.entries(cells)),
  );
  const wants = (meter: string) => meter === 'hardware.network.incoming.bytes';
  for (const maxVarbinds of [7, 13, 60]) {
    const { volumes } = await poll(objects, { agent: { maxVarbinds }, context: { wants } });
    assert.equal(volumes.size, 50);
    assert.equal(volumes.get('hardware.network.incoming.bytes node-1.port50'), '49 B');
  }
});

test('a table without end is cut off, and the others are kept', async () => {
  const next = (oid: string) => {
    const [, column] = /^1\.3\.6\.1\.2\.1\.2\.2\.1\.(\d+)/.exec(oid) ?? [];
    if (column === undefined) return null;
    const index = Number(oid.split('.')[10] ?? 0);
    return `${IF}.${column}.${index + 1}`;
  };
  const { context, volumes } = await poll(
    new Proxy(OBJECTS, { get: (known, oid) => known[String(oid)] ?? { counter32: 1 } }),
    { agent: { next }, settings: { max_rows: 200 } },
  );
  assert(volumes.has('hardware.memory.total node-1'));
  const gap = context.gaps.find(({ meter }) => meter === 'hardware.network.incoming.bytes');
  assert.equal(gap?.reason, 'too_large');
});

test('a table that leads back is left', async () => {
  const next = (oid: string) => oid.startsWith(`${IF}.`) ? `${IF}.${oid.split('.')[9]}.1` : null;
  const { context } = await poll(OBJECTS, { agent: { next } });
  const gap = context.gaps.find(({ meter }) => meter === 'hardware.network.outgoing.bytes');
  assert.equal(gap?.reason, 'paging_loop');
});

test('an agent that does not answer, or not to this community, is a timeout within its time', async () => {
  const started = Date.now();
  const settings = { timeout: 0.2, retries: 1 };
  assert.match(
    await failureOf(poll(OBJECTS, { settings, agent: { community: 'another' } })),
    /^timeout: Cannot ask the SNMP agent '127\.0\.0\.1:\d+': it does not answer; check host, port and, of SNMPv2c, community$/,
  );
  assert(Date.now() - started < 3_000);
});

test('an agent whose answers are too slow to come to an end is cut off at its deadline', async () => {
  const settings = { timeout: 30, deadline: 0.3 };
  const answer = () => null;
  assert.match(
    await failureOf(poll(OBJECTS, { settings, agent: { answer } })),
    /^timeout: .*its time is up$/,
  );
});

test('the end of the cycle ends the wait', async () => {
  const controller = new AbortController();
  const answer = () => {
    controller.abort();
    return null;
  };
  const context = { signal: controller.signal };
  assert.match(await failureOf(poll(OBJECTS, { agent: { answer }, context })), /^timeout: /);
});

test('whatever an agent answers is a reason, and never the end of the process', async () => {
  const garbage = [
    Buffer.from('<html>'),
    Buffer.alloc(0),
    Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0x30, 0x03, 0x02, 0x01]),
    Buffer.alloc(60_000, 0x30),
  ];
  for (const answer of garbage) {
    const failure = await failureOf(
      poll(OBJECTS, { settings: { timeout: 0.2 }, agent: { answer: () => answer } }),
    );
    assert.match(failure, /^(?:parse_error|timeout): /);
  }
});

test('cut and changed answers are reasons or values, and never the end of the process', async () => {
  // A real answer, to be spoilt: that of a GET with four objects.
  const changes = fc.record({
    at: fc.nat({ max: 200 }),
    byte: fc.nat({ max: 255 }),
    length: fc.nat({ max: 200 }),
  });
  const wants = (meter: string) => meter === 'hardware.memory.used';
  await fc.assert(
    fc.asyncProperty(changes, async ({ at, byte, length }) => {
      const answer = (request: Buffer) => {
        const spoilt = Buffer.from(request);
        // A request with the PDU's tag of an answer is one.
        for (let index = 0; index < spoilt.length; index += 1) {
          if (spoilt[index] === 0xa0) spoilt[index] = 0xa2;
        }
        if (at < spoilt.length) spoilt[at] = byte;
        return length > 150 ? spoilt : spoilt.subarray(0, Math.max(1, spoilt.length - length));
      };
      const settings = { timeout: 0.02 };
      await poll({}, { agent: { answer }, settings, context: { wants } })
        .catch((error: unknown) => assert(isNephoError(error), String(error)));
    }),
    { numRuns: 25 },
  );
});

test('isSignedOrReport takes what is signed, and of the rest only reports', () => {
  const message = (flags: number, pdu: number) =>
    field(
      0x30,
      field(2, Buffer.from([3])),
      field(
        0x30,
        field(2, Buffer.from([1])),
        field(2, Buffer.from([0x7f, 0xff])),
        field(4, Buffer.from([flags])),
        field(2, Buffer.from([3])),
      ),
      field(4, Buffer.alloc(200)),
      field(
        0x30,
        field(4, Buffer.from('engine')),
        field(4, Buffer.alloc(0)),
        field(pdu, Buffer.alloc(9)),
      ),
    );
  assert.equal(isSignedOrReport(message(1, 0xa2)), true);
  assert.equal(isSignedOrReport(message(3, 0xa2)), true);
  assert.equal(isSignedOrReport(message(0, 0xa8)), true);
  assert.equal(isSignedOrReport(message(0, 0xa2)), false);
  assert.equal(isSignedOrReport(message(4, 0xa2)), false);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    assert.equal(typeof isSignedOrReport(bytes), 'boolean');
  }));
});

test('aesCfb encrypts as NIST says, and gives back what it encrypted', () => {
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  const iv = bytes('000102030405060708090a0b0c0d0e0f');
  const plain = bytes('6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51');
  // SP 800-38A, F.3.13 and F.3.17.
  const vectors = [
    [
      '2b7e151628aed2a6abf7158809cf4f3c',
      '3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b',
    ],
    [
      '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
      'dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b',
    ],
  ] as const;
  for (const [key, wanted] of vectors) {
    const encrypted = aesCfb(plain, { key: bytes(key), iv, decrypt: false });
    assert.equal(encrypted.toString('hex'), wanted);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), (data) => {
    const keys = { key: bytes(vectors[0][0]), iv };
    const encrypted = aesCfb(data, { ...keys, decrypt: false });
    assert.deepEqual(new Uint8Array(aesCfb(encrypted, { ...keys, decrypt: true })), data);
    if (!getCiphers().includes('aes-128-cfb')) return;
    const cipher = createCipheriv('aes-128-cfb', keys.key, iv);
    assert.deepEqual(encrypted, Buffer.concat([cipher.update(data), cipher.final()]));
  }));
});

test("Ceilometer's resources are polled with the settings' credentials, and never bring their own", async () => {
  const access = { version: '2c', community_file: '/etc/nepho/community' };
  const settings = snmpSettingsSchema.parse({
    access,
    targets: [{ host: '192.0.2.7', resource_id: 'seven' }],
  });
  const collector = createSnmpCollector(settings, { secret: () => Promise.reject(new Error()) });
  const resource = (text: string) => collector.discoveries[0]?.resource?.(text) ?? null;
  assert.equal(resource('snmp://192.0.2.7')?.id, 'seven');
  assert.equal(resource('snmp://192.0.2.8:1161')?.id, '192.0.2.8');
  assert.equal(resource('snmp://[2001:db8::1]')?.id, '2001:db8::1');
  assert.equal(resource('http://192.0.2.7'), null);
  for (
    const text of [
      'snmp://sesame@192.0.2.7',
      'snmp://user:sesame@192.0.2.7?auth_proto=sha',
      'snmp://192.0.2.7?priv_password=sesame',
      'snmp://sesame@/:',
    ]
  ) {
    const unit = resource(text) ?? undefined;
    const failure = await failureOf(pollUnit(collector, unit, recordingPollContext()));
    assert.match(failure, /^request_refused: /);
    assert(!unit?.id.includes('sesame'));
  }
  const bare = createSnmpCollector(snmpSettingsSchema.parse({}), {
    secret: () => Promise.reject(new Error()),
  });
  const unit = bare.discoveries[0]?.resource?.('snmp://192.0.2.7') ?? undefined;
  const failure = await failureOf(pollUnit(bare, unit, recordingPollContext()));
  assert.match(failure, /^request_refused: .*no access is configured/);
});

test('settings name secrets by reference, once, and targets once', () => {
  const faultsOf = (settings: unknown) =>
    (snmpSettingsSchema.safeParse(settings).error?.issues ?? []).map(({ message }) => message);
  const user = { version: 3, user: 'meter', auth_key_env: 'A', privacy_key_file: '/p' };
  assert.deepEqual(faultsOf({ access: user, targets: [{ host: 'a' }, { host: '::1' }] }), []);
  assert.deepEqual(faultsOf({ targets: [{ host: 'a' }] }), [
    "write 'access' here, or beside 'targets' for all of them",
  ]);
  assert.deepEqual(faultsOf({ access: user, targets: [{ host: 'a' }, { host: 'a', port: 1 }] }), [
    "'a' stands for another target too",
  ]);
  for (
    const access of [
      { version: '2c', community: 'public' },
      { version: '2c' },
      { version: '2c', community_env: 'A', community_file: '/a' },
      { ...user, auth_protocol: 'md5' },
      { ...user, privacy_protocol: 'des' },
      { ...user, privacy_key_file: undefined },
      { version: '1', community_env: 'A' },
    ]
  ) assert.notDeepEqual(faultsOf({ access }), [], JSON.stringify(access));
  const parsed = snmpSettingsSchema.parse({ access: user }).access;
  assert.deepEqual(parsed, {
    version: '3',
    user: 'meter',
    context: '',
    authProtocol: 'sha256',
    authKey: { env: 'A' },
    privacy: { protocol: 'aes', key: { file: '/p' } },
  });
  assert.deepEqual(
    snmpSettingsSchema.parse({
      access: { ...user, privacy_protocol: 'none', privacy_key_file: undefined },
    }).access,
    {
      ...parsed,
      privacy: null,
    },
  );
});
