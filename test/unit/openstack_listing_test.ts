import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { cinderDiscoveries, cinderPollsters } from '../../collectors/openstack/cinder.ts';
import { versioned } from '../../collectors/openstack/listing_discovery.ts';
import { neutronDiscoveries, neutronPollsters } from '../../collectors/openstack/neutron.ts';
import { SHARE_STATUS, statusCode } from '../../collectors/openstack/status_code.ts';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import { ExactNumber, type JsonObject } from '../../meters/json.ts';
import {
  inShort,
  laidDownSession,
  notedCycle,
  readingsOf,
  unitsOf,
} from '../support/openstack_answers.ts';

const FLOATING_IPS = 'network /v2.0/floatingips';

function failsWith(code: string): (error: unknown) => boolean {
  return (error) => isNephoError(error) && error.code === code;
}

async function pools(...capabilities: JsonObject[]) {
  const listing = capabilities.map((each, index) => ({
    name: `host@lvm#pool${index}`,
    capabilities: each,
  }));
  const { session } = laidDownSession({
    'block-storage /scheduler-stats/get_pools?detail=true': { pools: listing },
  });
  const cycle = notedCycle();
  const family = { discoveries: cinderDiscoveries(session), pollsters: cinderPollsters(session) };
  return { readings: await readingsOf(family, 'cinder.pool', cycle.context), ...cycle };
}

const LVM = {
  total_capacity_gb: 28.5,
  free_capacity_gb: 28.39,
  allocated_capacity_gb: 4,
  provisioned_capacity_gb: 4,
  reserved_percentage: 10,
  max_over_subscription_ratio: 20,
  thin_provisioning_support: true,
};

test('a listing that is not offered is absent, and asked for again after an hour', async () => {
  const { session, asked } = laidDownSession({});
  const discoveries = neutronDiscoveries(session);
  const { context, clock } = notedCycle();
  const look = () => unitsOf(discoveries, 'vpn_services', context);
  await assert.rejects(look, failsWith('service_absent'));
  clock.now = '2026-05-01T12:59:59.000000Z';
  await assert.rejects(look, failsWith('service_absent'));
  assert.equal(asked.length, 1);
  clock.now = '2026-05-01T13:00:00.000000Z';
  await assert.rejects(look, failsWith('service_absent'));
  assert.equal(asked.length, 2);
});

test('one absent listing leaves the others of the service alone', async () => {
  const { session } = laidDownSession({ [FLOATING_IPS]: { floatingips: [{ id: 'a' }] } });
  const discoveries = neutronDiscoveries(session);
  const { context } = notedCycle();
  await assert.rejects(unitsOf(discoveries, 'fw_services', context), failsWith('service_absent'));
  assert.equal((await unitsOf(discoveries, 'fip_services', context)).length, 1);
});

test('another failure of a listing keeps its reason, and the next cycle asks again', async () => {
  const refused = new NephoError('forbidden', 'Not allowed');
  const { session, asked } = laidDownSession({ [FLOATING_IPS]: refused });
  const discoveries = neutronDiscoveries(session);
  const { context } = notedCycle();
  await assert.rejects(unitsOf(discoveries, 'fip_services', context), failsWith('forbidden'));
  await assert.rejects(unitsOf(discoveries, 'fip_services', context), failsWith('forbidden'));
  assert.equal(asked.length, 2);
});

test('an endpoint may be named with its version, a slash, or neither', () => {
  const path = versioned('v2.0', '/ports');
  assert.ok(typeof path === 'function');
  for (const end of ['', '/', '/v2.0', '/v2.0/', '/v2']) {
    assert.equal(path(`https://cloud/network${end}`), 'https://cloud/network/v2.0/ports');
  }
});

test('a number as text is read and remarked; below zero, or no number, is missing alone', async () => {
  const { readings, missing, remarks } = await pools(
    { ...LVM, total_capacity_gb: '28.5' },
    { ...LVM, free_capacity_gb: -1 },
    { ...LVM, total_capacity_gb: 'infinite', free_capacity_gb: 'unknown' },
  );
  assert.equal(readings.length, 5 + 4 + 2);
  assert.deepEqual(remarks, [{ code: 'number_as_text', unit: 'host@lvm#pool0' }]);
  assert.deepEqual(missing.map(({ unit, meter, reason }) => [unit, meter.slice(30), reason]), [
    ['host@lvm#pool1', 'free', 'value_invalid'],
    ['host@lvm#pool2', 'total', 'value_invalid'],
    ['host@lvm#pool2', 'free', 'value_invalid'],
    ['host@lvm#pool2', 'virtual_free', 'value_invalid'],
  ]);
  assert.match(missing[1]?.detail ?? '', /'host@lvm#pool2' from 'infinite'/);
});

test('what is virtually free is exact, and below zero if more is promised than the ratio allows', async () => {
  const { readings, missing } = await pools(
    LVM,
    { ...LVM, thin_provisioning_support: false },
    { ...LVM, max_over_subscription_ratio: '1.5', provisioned_capacity_gb: 1000 },
    { ...LVM, total_capacity_gb: new ExactNumber('90071992547409.93'), reserved_percentage: 0 },
  );
  const free = readings.filter(({ meter }) => meter.endsWith('virtual_free'));
  assert.deepEqual(missing, []);
  // 20 × (28.5 − ⌊2.85⌋) − 4, 28.5 − 2 − 4, 1.5 × 26.5 − 1000, 20 × 90071992547409.93 − 4
  assert.deepEqual(free.map(({ volume }) => volume), [
    '526',
    '22.5',
    '-960.25',
    '1801439850948194.6',
  ]);
});

test('what a driver does not report is no gap, and nothing provisioned is a reading', async () => {
  const { provisioned_capacity_gb: _, ...ceph } = LVM;
  const { readings, missing } = await pools(ceph, { ...LVM, provisioned_capacity_gb: 0 });
  assert.deepEqual(missing, []);
  assert.deepEqual(inShort(readings).map((line) => line.slice(30)), [
    'total gauge 28.5 GiB',
    'free gauge 28.39 GiB',
    'allocated gauge 4 GiB',
    'total gauge 28.5 GiB',
    'free gauge 28.39 GiB',
    'allocated gauge 4 GiB',
    'provisioned gauge 0 GiB',
    'virtual_free gauge 530 GiB',
  ]);
});

test('a meter that nobody wants is neither read nor missing', async () => {
  const { session } = laidDownSession({ [FLOATING_IPS]: { floatingips: [{ id: 'a' }] } });
  const family = {
    discoveries: neutronDiscoveries(session),
    pollsters: neutronPollsters(session),
  };
  const indifferent = notedCycle(() => false);
  assert.deepEqual(await readingsOf(family, 'neutron.floating_ip', indifferent.context), []);
  assert.deepEqual(indifferent.missing, []);
  const curious = notedCycle();
  assert.deepEqual(await readingsOf(family, 'neutron.floating_ip', curious.context), []);
  assert.equal(curious.missing[0]?.reason, 'value_invalid');
});

test('a unit that no listing brought fails with the discovery to name', () => {
  const { session } = laidDownSession({});
  const pollster = cinderPollsters(session)[0];
  assert.throws(
    () => pollster?.poll({ id: 'x', data: 'x' }, notedCycle().context),
    /Cannot poll 'x' by 'cinder.volume': .*'volumes'/,
  );
});

test('any words for a status give a code that the table has, -1, or none', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const code = statusCode(SHARE_STATUS, JSON.parse(JSON.stringify(value)));
    const isWord = typeof value === 'string' && value !== '';
    assert.equal(code === undefined, !isWord);
    assert.ok(code === undefined || (code >= -1 && code <= 26));
  }));
  assert.equal(statusCode(SHARE_STATUS, 'constructor'), -1);
  assert.equal(Object.keys(SHARE_STATUS).length, 26);
});

test('no field of a pool makes the pollster fail', async () => {
  const anything = fc.record({
    total_capacity_gb: fc.jsonValue(),
    provisioned_capacity_gb: fc.jsonValue(),
    reserved_percentage: fc.jsonValue(),
    max_over_subscription_ratio: fc.jsonValue(),
    thin_provisioning_support: fc.jsonValue(),
    allocated_capacity_gb: fc.jsonValue(),
  });
  await fc.assert(
    fc.asyncProperty(anything, async (capabilities) => {
      const { readings } = await pools(JSON.parse(JSON.stringify(capabilities)));
      for (const { volume } of readings) assert.match(volume, /^-?\d+(\.\d+)?$/);
    }),
    { numRuns: 60 },
  );
});
