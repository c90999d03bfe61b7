/** The SNMP collector against Debian's snmpd: what it reads, and what snmpget reads. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { createSnmpCollector } from '../../collectors/snmp/collector.ts';
import { snmpSettingsSchema } from '../../collectors/snmp/settings_schema.ts';
import { freePort } from '../support/free_port.ts';
import {
  discovered,
  pollUnit,
  recordingPollContext,
  volumesOf,
} from '../support/recording_poll_context.ts';
import { type SnmpAgent, snmpdSkipReason, startSnmpd } from '../support/snmpd.ts';

const skip = snmpdSkipReason();
const SECRETS: Readonly<Record<string, string>> = {
  COMMUNITY: 'sesame',
  WRONG: 'not the key of it',
  RESTRICTED: 'little',
  AUTH: 'open the gate',
  PRIVACY: 'close the curtain',
};
const user = (name: string, authProtocol: string, privacyProtocol: string) => ({
  name,
  authProtocol,
  authKey: SECRETS['AUTH'] ?? '',
  privacyProtocol,
  privacyKey: SECRETS['PRIVACY'] ?? '',
});

let agent: SnmpAgent;
before(async () => {
  if (skip !== false) return;
  agent = await startSnmpd({
    community: 'sesame',
    restricted: 'little',
    users: [
      user('strong', 'SHA-256', 'AES'),
      user('newer', 'SHA-512', 'AES-256'),
      user('old', 'SHA', 'AES'),
    ],
  });
});
after(() => agent?.stop());

const V2C = { version: '2c', community_env: 'COMMUNITY' };
const V3 = {
  version: 3,
  user: 'strong',
  auth_protocol: 'sha256',
  auth_key_env: 'AUTH',
  privacy_key_env: 'PRIVACY',
};

async function poll(access: Record<string, unknown>, settings: Record<string, unknown> = {}) {
  const target = { host: '127.0.0.1', port: agent.port, resource_id: 'node-1' };
  const collector = createSnmpCollector(
    snmpSettingsSchema.parse({ timeout: 5, retries: 0, access, targets: [target], ...settings }),
    {
      secret: (reference) =>
        Promise.resolve(SECRETS['env' in reference ? reference.env : ''] ?? ''),
    },
  );
  const context = recordingPollContext();
  const units = await discovered(collector, context);
  const readings = await pollUnit(collector, units.get('node-1'), context);
  return { readings, context, volumes: volumesOf(readings) };
}

test('what is steady is what snmpget reads, and what moves lies between two of its answers', {
  skip,
}, async () => {
  const moving = [
    ['hardware.network.ip.incoming.datagrams', '.1.3.6.1.2.1.4.31.1.1.4.1', 'datagrams'],
    ['hardware.network.ip.outgoing.datagrams', '.1.3.6.1.2.1.4.31.1.1.21.1', 'datagrams'],
  ] as const;
  const earlier = moving.map(([, oid]) => BigInt(agent.snmpget(oid)));
  const { volumes, context, readings } = await poll(V2C);
  for (
    const [key, oid, unit] of [
      ['hardware.memory.total node-1', '.1.3.6.1.4.1.2021.4.5.0', 'KB'],
      ['hardware.memory.swap.total node-1', '.1.3.6.1.4.1.2021.4.3.0', 'KB'],
      [
        `hardware.disk.size.total node-1.${agent.snmpget('.1.3.6.1.4.1.2021.9.1.3.1')}`,
        '.1.3.6.1.4.1.2021.9.1.6.1',
        'KB',
      ],
      ['hardware.network.outgoing.errors node-1.lo', '.1.3.6.1.2.1.2.2.1.20.1', 'packet'],
    ] as const
  ) assert.equal(volumes.get(key), `${agent.snmpget(oid)} ${unit}`, key);
  for (const [index, [meter, oid, unit]] of moving.entries()) {
    const [volume, readUnit] = volumes.get(`${meter} node-1`)?.split(' ') ?? [];
    assert.equal(readUnit, unit);
    assert(BigInt(volume ?? 0) >= (earlier[index] ?? 0n), meter);
    assert(BigInt(volume ?? 0) <= BigInt(agent.snmpget(oid)), meter);
  }
  assert.match(volumes.get('hardware.cpu.load.5min node-1') ?? '', /^\d+(?:\.\d+)? process$/);
  assert.match(volumes.get('hardware.network.incoming.bytes node-1.lo') ?? '', /^\d+ B$/);
  const lo = readings.find(({ resource_id }) => resource_id === 'node-1.lo');
  assert.equal(lo?.metadata['ip'], '127.0.0.1');
  assert.equal(lo?.metadata['speed'], 1_250_000);
  // Only what snmpd knows a minute after its start, or the machine has no processors or disks to show.
  const late = /^hardware\.(?:cpu\.util|system_stats\.cpu\.idle|disk\.)/;
  assert.deepEqual(context.gaps.filter(({ meter }) => !late.test(meter)), []);
});

test(
  'SNMPv3 reads the same, signed and encrypted by each pair of protocols',
  { skip },
  async () => {
    const byCommunity = await poll(V2C);
    const steady = 'hardware.memory.total node-1';
    for (
      const access of [
        V3,
        { ...V3, user: 'newer', auth_protocol: 'sha512', privacy_protocol: 'aes256b' },
        { ...V3, user: 'old', auth_protocol: 'sha' },
      ]
    ) {
      const { volumes } = await poll(access);
      assert.equal(volumes.get(steady), byCommunity.volumes.get(steady), access.user);
      assert.deepEqual([...volumes.keys()], [...byCommunity.volumes.keys()]);
    }
  },
);

test('wrong credentials have their reasons, without a secret in them', { skip }, async () => {
  const quick = { timeout: 0.3 };
  const cases: [Record<string, unknown>, RegExp][] = [
    // Of a community that it does not know, an agent says nothing.
    [{ ...V2C, community_env: 'WRONG' }, /^timeout: .*does not answer; check host, port and/],
    [{ ...V3, auth_key_env: 'WRONG' }, /^unauthorised: .*the authentication key is wrong$/],
    [{ ...V3, privacy_key_env: 'WRONG' }, /^(?:unauthorised: .*the privacy key|timeout: )/],
    [{ ...V3, user: 'nobody' }, /^unauthorised: .*does not know the name$/],
    [{ ...V3, auth_protocol: 'sha512' }, /^unauthorised: /],
    [
      { ...V3, privacy_protocol: 'none', privacy_key_env: undefined },
      /^(?:forbidden|unauthorised): /,
    ],
  ];
  for (const [access, wanted] of cases) {
    const error = await poll(access, quick).then(() => null, (caught: Error) => caught);
    const { code, message } = error as Error & { code?: string };
    assert.match(`${code}: ${message}`, wanted, JSON.stringify(access));
    for (const secret of Object.values(SECRETS)) assert(!message.includes(secret));
  }
});

test(
  'a community that may see little is a gap of each meter with the reason',
  { skip },
  async () => {
    const { readings, context } = await poll({ ...V2C, community_env: 'RESTRICTED' });
    assert.deepEqual(readings, []);
    assert(context.gaps.length > 15);
    assert(context.gaps.every(({ reason }) => reason === 'service_absent'));
    assert.match(
      context.gaps[0]?.detail ?? '',
      /does not offer it, or not to this user or community$/,
    );
  },
);

test(
  'a dead port is a timeout within its time, a name that nobody has unreachable',
  { skip },
  async () => {
    const started = Date.now();
    const port = await freePort();
    const dead = { timeout: 0.3, targets: [{ host: '127.0.0.1', port, resource_id: 'node-1' }] };
    await assert.rejects(poll(V2C, dead), { code: 'timeout' });
    assert(Date.now() - started < 3_000);
    const nowhere = { targets: [{ host: 'nowhere.invalid', resource_id: 'node-1' }] };
    await assert.rejects(poll(V2C, nowhere), { code: 'unreachable' });
  },
);
