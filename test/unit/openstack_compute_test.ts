/** What Nova 26 and Glance 25 answered in a small real cloud, and the samples that come of it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { glanceDiscoveries, glancePollsters } from '../../collectors/openstack/glance.ts';
import { novaDiscoveries, novaPollsters } from '../../collectors/openstack/nova.ts';
import { NephoError } from '../../meters/errors.ts';
import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import {
  inShort,
  type LaidDown,
  laidDownSession,
  notedCycle,
  readingsOf,
  recordedAnswers,
  unitsOf,
} from '../support/openstack_answers.ts';

const recorded = recordedAnswers('compute');
const RUNNING = '29a58fc1-c92f-4bfe-af03-d37bf2ad5829';
const STOPPED = 'b957acc9-db06-4810-b548-6dfa9a15ee3f';
const PROJECT = '92a289e3bba94ad5a5a939d2cb5d8ed4';
const USER = 'f80ed2aa52164bc3931f3b60d135dfac';

function objectAt(value: JsonValue | undefined, ...path: (string | number)[]): JsonObject {
  let found = value;
  for (const key of path) {
    found = Array.isArray(found)
      ? found[Number(key)]
      : isJsonObject(found)
      ? found[key]
      : undefined;
  }
  if (!isJsonObject(found)) throw new TypeError(`no object at ${path.join('.')}`);
  return found;
}

const stopped = objectAt(recorded, 'servers_page_1', 'servers', 0);
const running = objectAt(recorded, 'servers_page_2', 'servers', 0);
const diagnostics = objectAt(recorded, 'diagnostics');

function nova(changes: LaidDown = {}, servers: JsonValue[] = [stopped, running]) {
  const { session, asked } = laidDownSession({
    'compute /v2.1/servers/detail?all_tenants=1': { servers },
    'compute /v2.1/flavors/detail?is_public=None': objectAt(recorded, 'flavors'),
    [`compute /v2.1/servers/${RUNNING}/diagnostics`]: diagnostics,
    ...changes,
  });
  return {
    asked,
    family: { discoveries: novaDiscoveries(session), pollsters: novaPollsters(session) },
  };
}

/** The readings of diagnostics that differ from the recorded ones by this. */
async function diagnosed(changes: JsonObject, server: JsonObject = {}) {
  const { family } = nova({
    [`compute /v2.1/servers/${RUNNING}/diagnostics`]: { ...diagnostics, ...changes },
  }, [{ ...running, ...server }]);
  const noted = notedCycle();
  const readings = await readingsOf(family, 'nova.diagnostics', noted.context);
  return { readings, noted };
}

test('nova.servers reads the flavor facts and the state of every server', async () => {
  const { family, asked } = nova();
  const readings = await readingsOf(family, 'nova.servers', notedCycle().context);
  assert.deepEqual(inShort(readings.filter(({ resource_id }) => resource_id === STOPPED)), [
    'instance gauge 1 instance',
    'memory gauge 2048 MiB',
    'vcpus gauge 2 vcpu',
    'disk.root.size gauge 20 GiB',
    'disk.ephemeral.size gauge 0 GiB',
    'power.state gauge 4 state',
    'instance:m1.small gauge 1 instance',
  ]);
  assert.equal(readings.length, 14);
  assert.ok(asked.every(({ headers }) => headers['openstack-api-version'] === 'compute 2.48'));
});

test('nova.servers names project, user and all that Ceilometer says of a server', async () => {
  const { family } = nova();
  const readings = await readingsOf(family, 'nova.servers', notedCycle().context);
  const reading = readings.find(({ resource_id }) => resource_id === STOPPED);
  assert.equal(reading?.project_id, PROJECT);
  assert.equal(reading.user_id, USER);
  const image = objectAt(stopped, 'image')['id'];
  assert.deepEqual(reading.metadata, {
    display_name: 'oa-stopped',
    name: stopped['OS-EXT-SRV-ATTR:instance_name'],
    instance_id: STOPPED,
    instance_type: 'm1.small',
    host: stopped['hostId'],
    instance_host: 'vm',
    flavor: {
      id: 'bb5d068a-c4d0-44a9-880c-be56d4dc9738',
      name: 'm1.small',
      vcpus: 2,
      ram: 2048,
      disk: 20,
      ephemeral: 0,
      swap: 0,
    },
    status: 'shutoff',
    state: 'stopped',
    task_state: null,
    image: { id: image },
    image_ref: image,
    image_ref_url: 'http://127.0.0.1:8774/images/143b8b14-ebf7-4cd0-82ed-acdd2592c9fe',
    vcpus: 2,
    memory_mb: 2048,
    disk_gb: 20,
    ephemeral_gb: 0,
    root_gb: 20,
    created_at: stopped['created'],
    launched_at: stopped['OS-SRV-USG:launched_at'],
    user_metadata: { stack: 'a' },
    'OS-EXT-AZ:availability_zone': 'nova',
    reservation_id: stopped['OS-EXT-SRV-ATTR:reservation_id'],
  });
});

test('nova.servers goes on without flavor ids where flavors may not be listed', async () => {
  const { family, asked } = nova({
    'compute /v2.1/flavors/detail?is_public=None': new NephoError('forbidden', 'No'),
  });
  const { context } = notedCycle();
  const [first] = await readingsOf(family, 'nova.servers', context);
  assert.equal(objectAt(first?.metadata, 'flavor')['id'], null);
  await readingsOf(family, 'nova.servers', context);
  const listings = asked.filter(({ what }) => what.includes('flavors'));
  assert.equal(listings.length, 1, 'it is not asked for again at once');
});

test('a flavor that was made anew under its name lends its id to no older server', async () => {
  const { family } = nova({
    'compute /v2.1/flavors/detail?is_public=None': {
      flavors: [{ id: 'new', name: 'm1.small', vcpus: 16, ram: 2048, disk: 20 }],
    },
  });
  const [first] = await readingsOf(family, 'nova.servers', notedCycle().context);
  assert.equal(objectAt(first?.metadata, 'flavor')['id'], null);
});

test('nova.servers says what is missing where a flavor fact is no number', async () => {
  const flavor = { ...objectAt(running, 'flavor'), ram: 'much', vcpus: '1' };
  const { family } = nova({}, [{ ...running, flavor }]);
  const { context, missing, remarks } = notedCycle();
  const readings = await readingsOf(family, 'nova.servers', context);
  assert.deepEqual(missing.map(({ meter, reason }) => [meter, reason]), [
    ['memory', 'value_invalid'],
  ]);
  assert.deepEqual(remarks, [{ code: 'number_as_text', unit: RUNNING }]);
  assert.ok(inShort(readings).includes('vcpus gauge 1 vcpu'));
});

test('nova.diagnostics reads every counter of a server that runs', async () => {
  const { readings, noted } = await diagnosed({});
  const nic = `instance-00000001-${RUNNING}-0123456789ab`;
  const disk = `${RUNNING}-sda`;
  assert.deepEqual(
    readings.map(({ meter, resource_id, volume }) => `${meter} ${resource_id} ${volume}`),
    [
      `cpu ${RUNNING} 17300000000`,
      `memory.usage ${RUNNING} 0`,
      `disk.read.bytes ${RUNNING} 262144`,
      `disk.read.requests ${RUNNING} 112`,
      `disk.write.bytes ${RUNNING} 5778432`,
      `disk.write.requests ${RUNNING} 488`,
      `disk.device.read.bytes ${disk} 262144`,
      `disk.device.read.requests ${disk} 112`,
      `disk.device.write.bytes ${disk} 5778432`,
      `disk.device.write.requests ${disk} 488`,
      `network.incoming.bytes ${nic} 2070139`,
      `network.incoming.packets ${nic} 26701`,
      `network.incoming.packets.drop ${nic} 200`,
      `network.incoming.packets.error ${nic} 100`,
      `network.incoming.bytes.rate ${nic} 300`,
      `network.outgoing.bytes ${nic} 140208`,
      `network.outgoing.packets ${nic} 662`,
      `network.outgoing.packets.drop ${nic} 500`,
      `network.outgoing.packets.error ${nic} 400`,
      `network.outgoing.bytes.rate ${nic} 600`,
    ],
  );
  assert.deepEqual(noted.missing, []);
  for (const { meter, type, unit, project_id, metadata } of readings) {
    const isGauge = meter === 'memory.usage' || meter.endsWith('.rate');
    assert.equal(type, isGauge ? 'gauge' : 'cumulative', meter);
    assert.match(unit, /^(?:ns|MiB|B|B\/s|request|packet)$/);
    assert.equal(project_id, PROJECT);
    if (meter.startsWith('disk.device.')) assert.equal(metadata['disk_name'], 'sda');
    if (meter.startsWith('network.')) assert.equal(metadata['mac'], '01:23:45:67:89:ab');
  }
});

test('nova.diagnostics expects nothing of a server that does not run, and does not ask', async () => {
  const { family, asked } = nova({}, [stopped]);
  const { context, missing } = notedCycle();
  assert.deepEqual(await readingsOf(family, 'nova.diagnostics', context), []);
  assert.deepEqual(missing, []);
  assert.ok(!asked.some(({ what }) => what.includes('diagnostics')));
});

test('nova.diagnostics expects nothing of a server that was stopped since the listing', async () => {
  const { conflictingRequest } = objectAt(recorded, 'diagnostics_of_stopped');
  assert.equal(objectAt(conflictingRequest)['code'], 409, 'this is what Nova says');
  const { family } = nova({
    [`compute /v2.1/servers/${RUNNING}/diagnostics`]: new NephoError('request_refused', 'No', {
      context: { status: 409 },
    }),
  });
  assert.deepEqual(await readingsOf(family, 'nova.diagnostics', notedCycle().context), []);
});

test('nova.diagnostics leaves a host alone that is down, or does not answer', async () => {
  const ids = Array.from({ length: 6 }, (_, index) => `server-${index}`);
  const servers = ids.map((id) => ({ ...running, id }));
  const late = new NephoError('timeout', 'Late', { retryable: true });
  const answers = Object.fromEntries(
    ids.map((id) => [`compute /v2.1/servers/${id}/diagnostics`, late]),
  );
  const { family, asked } = nova(answers, servers);
  const { context } = notedCycle();
  const pollster = family.pollsters.find(({ name }) => name === 'nova.diagnostics');
  const codes: string[] = [];
  for (const unit of await unitsOf(family.discoveries, 'servers', context)) {
    await Promise.resolve(pollster?.poll(unit, context))
      .catch((error: NephoError) => codes.push(error.code));
  }
  assert.deepEqual(codes, [
    'timeout',
    'timeout',
    'timeout',
    'circuit_open',
    'circuit_open',
    'circuit_open',
  ]);
  assert.equal(asked.filter(({ what }) => what.includes('diagnostics')).length, 3);
  const down = nova({}, [{ ...running, host_status: 'DOWN' }]);
  await assert.rejects(readingsOf(down.family, 'nova.diagnostics', context), {
    code: 'unreachable',
    message: /host 'vm' is down/,
  });
});

test('nova.diagnostics adds up exactly, beyond what a double holds', async () => {
  const { readings } = await diagnosed({
    cpu_details: [
      { id: 0, time: new ExactNumber('9007199254740993') },
      { id: 1, time: new ExactNumber('18446744073709551615') },
    ],
  });
  assert.equal(readings.find(({ meter }) => meter === 'cpu')?.volume, '18455751272964292608');
  assert.equal(readings.find(({ meter }) => meter === 'cpu')?.metadata['cpu_number'], 2);
});

test('nova.diagnostics says what the driver does not tell, and what is no number', async () => {
  const { readings, noted } = await diagnosed({
    cpu_details: [],
    nic_details: [{ mac_address: null, rx_octets: -1, rx_packets: 'many', tx_octets: 5 }],
  });
  const gaps = noted.missing.map(({ meter, reason }) => `${meter} ${reason}`).sort();
  assert.deepEqual(gaps, [
    'cpu service_absent',
    'network.incoming.bytes value_invalid',
    'network.incoming.packets value_invalid',
    'network.incoming.packets.drop service_absent',
    'network.incoming.packets.error service_absent',
    'network.outgoing.packets service_absent',
    'network.outgoing.packets.drop service_absent',
    'network.outgoing.packets.error service_absent',
  ]);
  const nic = readings.filter(({ meter }) => meter.startsWith('network.'));
  assert.deepEqual(nic.map(({ resource_id }) => resource_id), [
    `instance-00000001-${RUNNING}-nic0`,
  ]);
});

test('disks beyond the root are named by their place, as are all of a server without an image', async () => {
  const [disk] = Array.isArray(diagnostics['disk_details']) ? diagnostics['disk_details'] : [];
  const names = async (server: JsonObject) => {
    const { readings } = await diagnosed({ disk_details: [disk ?? null, disk ?? null] }, server);
    return readings.filter(({ meter }) => meter === 'disk.device.read.bytes')
      .map(({ resource_id }) => resource_id.slice(RUNNING.length + 1));
  };
  assert.deepEqual(await names({}), ['sda', 'disk1']);
  assert.deepEqual(await names({ image: '' }), ['disk0', 'disk1']);
  const { readings } = await diagnosed({ disk_details: [disk ?? null, disk ?? null] });
  assert.equal(readings.find(({ meter }) => meter === 'disk.read.bytes')?.volume, '524288');
});

test('memory.usage is read in the unit that the maximum gives away', async () => {
  const usage = async (details: JsonObject, ram: number) => {
    const flavor = { ...objectAt(running, 'flavor'), ram };
    const { readings, noted } = await diagnosed({ memory_details: details }, { flavor });
    const reading = readings.find(({ meter }) => meter === 'memory.usage');
    return reading?.volume ?? noted.missing.find(({ meter }) => meter === 'memory.usage')?.reason;
  };
  assert.equal(await usage({ maximum: 4096, used: 1000 }, 4096), '1000', 'MiB, as documented');
  assert.equal(await usage({ maximum: 4194304, used: 1025 }, 4096), '1.0009765625', 'KiB');
  assert.equal(await usage({ maximum: 4, used: 4 }, 4096), 'value_invalid', 'libvirt: cut GiB');
  assert.equal(await usage({ maximum: null, used: null }, 4096), 'value_invalid');
});

test('nova.diagnostics survives any JSON: readings, gaps or a reason, never another error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), async (cpu, disk, nic) => {
      const changes = { cpu_details: cpu, disk_details: [disk], nic_details: nic } as JsonObject;
      await diagnosed(changes).catch((error: unknown) => {
        assert.ok(error instanceof NephoError && error.code === 'parse_error', String(error));
      });
    }),
    { numRuns: 100 },
  );
});

test('glance.image reads every image, hidden ones too, for its owner', async () => {
  const images = objectAt(recorded, 'images');
  const hidden = { ...objectAt(images, 'images', 0), id: 'hidden', size: null, owner: null };
  const { session } = laidDownSession({
    'image /v2/images': images,
    'image /v2/images?os_hidden=true': { images: [hidden] },
  });
  const family = { discoveries: glanceDiscoveries(session), pollsters: glancePollsters(session) };
  const { context, missing } = notedCycle();
  const readings = await readingsOf(family, 'glance.image', context);
  assert.deepEqual(inShort(readings), [
    'image gauge 1 image',
    'image.size gauge 3000000 B',
    'image gauge 1 image',
  ]);
  assert.deepEqual(readings.map(({ project_id }) => project_id), [PROJECT, PROJECT, null]);
  assert.deepEqual(missing, [], 'an image that was never uploaded has no size, and lacks none');
  assert.equal(readings[1]?.metadata['disk_format'], 'raw');
});
