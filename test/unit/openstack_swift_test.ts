import assert from 'node:assert/strict';
import test from 'node:test';
import { swiftPollsters } from '../../collectors/openstack/swift.ts';
import { NephoError } from '../../meters/errors.ts';
import { ExactNumber } from '../../meters/json.ts';
import {
  inShort,
  type LaidDown,
  laidDownSession,
  notedCycle,
  OWN_PROJECT,
} from '../support/openstack_answers.ts';

const ENDPOINT = `http://cloud/v1/AUTH_${OWN_PROJECT}`;
const HEADERS = {
  'x-account-object-count': '3',
  'x-account-bytes-used': '9007199254740993',
  'x-account-container-count': '2',
};

async function poll(name: string, answers: LaidDown, endpoint = ENDPOINT) {
  const { session, asked } = laidDownSession(answers, { 'object-store': endpoint });
  const cycle = notedCycle();
  const pollster = swiftPollsters(session).find((each) => each.name === name);
  assert.ok(pollster !== undefined);
  const readings = await pollster.poll({ id: 'p1', data: null }, cycle.context);
  return { readings, asked, ...cycle };
}

test('an account gives its objects, bytes and containers, exactly', async () => {
  const { readings, remarks, missing } = await poll('swift.account', {
    'object-store /v1/AUTH_p1': HEADERS,
  });
  assert.deepEqual(inShort(readings), [
    'storage.objects gauge 3 object',
    'storage.objects.size gauge 9007199254740993 B',
    'storage.objects.containers gauge 2 container',
  ]);
  assert.deepEqual(readings.map(({ resource_id, project_id }) => [resource_id, project_id]), [
    ['p1', 'p1'],
    ['p1', 'p1'],
    ['p1', 'p1'],
  ]);
  assert.deepEqual([...remarks, ...missing], []);
});

test('the account stands beside that of the catalogue, whatever its prefix and root', async () => {
  for (
    const [endpoint, path] of [
      [`http://cloud/v1/AUTH_${OWN_PROJECT}/`, '/v1/AUTH_p1'],
      [`http://cloud/v1/STORE_${OWN_PROJECT}`, '/v1/STORE_p1'],
      ['http://cloud/swift/v1', '/swift/v1/AUTH_p1'],
      ['http://cloud', '/v1/AUTH_p1'],
    ] as const
  ) {
    const { readings } = await poll(
      'swift.account',
      { [`object-store ${path}`]: HEADERS },
      endpoint,
    );
    assert.equal(readings.length, 3, endpoint);
  }
});

test('a project without an account has no reading, and no gap', async () => {
  assert.deepEqual((await poll('swift.account', {})).readings, []);
  assert.deepEqual((await poll('swift.container', {})).readings, []);
});

test('an account that may not be read fails with its reason', async () => {
  const refused = new NephoError('forbidden', 'Not allowed');
  await assert.rejects(
    poll('swift.account', { 'object-store /v1/AUTH_p1': refused }),
    /Not allowed/,
  );
});

test('a header that is lacking is a gap of that meter alone', async () => {
  const { readings, missing } = await poll('swift.account', {
    'object-store /v1/AUTH_p1': { 'x-account-object-count': '3', 'x-account-bytes-used': 'many' },
  });
  assert.deepEqual(inShort(readings), ['storage.objects gauge 3 object']);
  assert.deepEqual(missing.map(({ meter, reason }) => [meter, reason]), [
    ['storage.objects.size', 'value_invalid'],
    ['storage.objects.containers', 'value_invalid'],
  ]);
});

test('each container gives its objects and bytes under <project>/<name>', async () => {
  const { readings, missing } = await poll('swift.container', {
    'object-store /v1/AUTH_p1?format=json': [
      { name: 'box', count: 2, bytes: new ExactNumber('90071992547409930') },
      { name: 'dé/pôt', count: 0, bytes: 0 },
      { subdir: 'folder/' },
    ],
  });
  assert.deepEqual(inShort(readings), [
    'storage.containers.objects gauge 2 object',
    'storage.containers.objects.size gauge 90071992547409930 B',
    'storage.containers.objects gauge 0 object',
    'storage.containers.objects.size gauge 0 B',
  ]);
  assert.equal(readings[2]?.resource_id, 'p1/dé/pôt');
  assert.deepEqual(missing, []);
});
