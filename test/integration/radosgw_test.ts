import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import test from 'node:test';
import { createRadosgwCollector } from '../../collectors/radosgw/collector.ts';
import { radosgwSettingsSchema } from '../../collectors/radosgw/settings_schema.ts';
import { isNephoError } from '../../meters/errors.ts';
import { startExporter } from '../support/exporter.ts';
import { inShort, notedCycle } from '../support/openstack_answers.ts';

const ACCESS = 'AKIAEXAMPLE';
const SECRET = 'never-to-be-seen';
const BUCKETS = [
  {
    bucket: 'photos',
    owner: 'p1',
    usage: {
      'rgw.main': { size: 2 ** 53, size_kb: 8796093022209, num_objects: 12 },
      'rgw.multimeta': { size: 7, size_kb: 1, num_objects: 1 },
    },
  },
  { bucket: 'old', owner: 'p1', usage: { 'rgw.main': { size_kb: 3, num_objects: 2 } } },
  { bucket: 'empty', owner: 'p1', usage: {} },
];
const USAGE = {
  entries: [],
  summary: [
    { user: 'p1', categories: [], total: { bytes_sent: 1, ops: 40, successful_ops: 38 } },
    { user: 'p1', categories: [], total: { bytes_sent: 1, ops: 2, successful_ops: 2 } },
  ],
};

/** Beyond what JavaScript's own numbers hold, hence written into the text. */
const LARGE = '9007199254740993';

/** A gateway that checks the signature as S3's version 2 has it, written by itself. */
function gateway(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '', 'http://gateway');
  const answer = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body).replace(String(2 ** 53), LARGE));
  };
  const text = `GET\n\n\n${request.headers['date']}\n${url.pathname}`;
  const signature = createHmac('sha1', SECRET).update(text).digest('base64');
  if (request.headers['authorization'] !== `AWS ${ACCESS}:${signature}`) {
    return answer(403, { Code: 'SignatureDoesNotMatch' });
  }
  const user = url.searchParams.get('uid');
  if (user !== 'p1' && user !== 'p2$p2') return answer(404, { Code: 'NoSuchUser' });
  if (url.pathname === '/admin/usage') return answer(200, USAGE);
  if (url.pathname === '/admin/bucket' && url.searchParams.get('stats') === 'true') {
    return answer(200, user === 'p1' ? BUCKETS : []);
  }
  return answer(404, { Code: 'NoSuchKey' });
}

async function poll(
  name: string,
  project: string,
  change: { secret?: string; path?: string; implicit?: boolean } = {},
) {
  const server = await startExporter(gateway);
  const collector = createRadosgwCollector(
    radosgwSettingsSchema.parse({
      url: `${server.url}${change.path ?? ''}`,
      access_key_env: 'ACCESS',
      secret_key_file: '/secret',
      implicit_tenants: change.implicit ?? false,
    }),
    {
      secret: async (reference) => 'env' in reference ? ACCESS : change.secret ?? SECRET,
      readText: () => Promise.reject(new TypeError('no file is named')),
      nowMs: () => Date.now(),
    },
  );
  const cycle = notedCycle();
  try {
    const pollster = collector.pollsters.find((each) => each.name === name);
    const readings = await pollster?.poll({ id: project, data: null }, cycle.context) ?? [];
    return { readings, ...cycle };
  } finally {
    await collector.close();
    await server.stop();
  }
}

test('a project gives its objects, bytes and buckets, and those of each bucket, exactly', async () => {
  const { readings, missing } = await poll('radosgw.buckets', 'p1');
  assert.deepEqual(missing, []);
  assert.deepEqual(inShort(readings), [
    'radosgw.objects gauge 15 object',
    'radosgw.objects.size gauge 9007199254744072 B',
    'radosgw.objects.containers gauge 3 container',
    'radosgw.containers.objects gauge 13 object',
    'radosgw.containers.objects.size gauge 9007199254741000 B',
    'radosgw.containers.objects gauge 2 object',
    'radosgw.containers.objects.size gauge 3072 B',
    'radosgw.containers.objects gauge 0 object',
    'radosgw.containers.objects.size gauge 0 B',
  ]);
  assert.deepEqual(
    [...new Set(readings.map(({ resource_id }) => resource_id))],
    ['p1', 'p1/photos', 'p1/old', 'p1/empty'],
  );
  assert.ok(readings.every(({ project_id }) => project_id === 'p1'));
});

test('a project gives the requests it made', async () => {
  const { readings } = await poll('radosgw.usage', 'p1');
  assert.deepEqual(inShort(readings), ['radosgw.api.request gauge 42 request']);
});

test('with implicit tenants the user is named <project>$<project>', async () => {
  const { readings } = await poll('radosgw.buckets', 'p2', { implicit: true });
  assert.deepEqual(inShort(readings), [
    'radosgw.objects gauge 0 object',
    'radosgw.objects.size gauge 0 B',
    'radosgw.objects.containers gauge 0 container',
  ]);
});

test('a project that the gateway does not know has no reading, and no gap', async () => {
  assert.deepEqual((await poll('radosgw.buckets', 'stranger')).readings, []);
  assert.deepEqual((await poll('radosgw.usage', 'stranger')).readings, []);
});

test('a wrong key is refused, without a word of the secret', async () => {
  await assert.rejects(poll('radosgw.buckets', 'p1', { secret: 'wrong-secret' }), (error) => {
    assert.ok(isNephoError(error));
    assert.doesNotMatch(`${error.message} ${JSON.stringify(error.context)}`, /wrong-secret/);
    return error.code === 'forbidden';
  });
});

test('a gateway without its admin API is absent', async () => {
  await assert.rejects(
    poll('radosgw.usage', 'p1', { path: '/elsewhere' }),
    (error) => isNephoError(error) && error.code === 'service_absent',
  );
});

test('each key is named by a variable or a file, one of the two', () => {
  const parsed = radosgwSettingsSchema.safeParse({ url: 'http://gateway', access_key_env: 'A' });
  assert.deepEqual(
    parsed.error?.issues.map(({ message }) => message),
    ["write either 'secret_key_env' or 'secret_key_file'"],
  );
});
