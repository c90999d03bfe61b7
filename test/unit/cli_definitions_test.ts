import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from '../../cli/definition_files.ts';
import { runDefinitionsCheck } from '../../cli/definitions_check.ts';
import { runDefinitionsTry } from '../../cli/definitions_try.ts';
import { isNephoError } from '../../meters/errors.ts';
import type { Sample } from '../../meters/sample.ts';
import { definition } from '../support/definitions.ts';
import { recordingOutput } from '../support/recording_output.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nepho-definitions-'));
});
after(() => rm(directory, { recursive: true }));

const NOTIFICATION = {
  message_id: 'm-1',
  event_type: 'x.end',
  publisher_id: 'service.host',
  priority: 'INFO',
  timestamp: '2026-03-01 12:00:00',
  payload: { id: 'r-1', size: 5 },
};

test('definitions check: shipped definitions have neither faults nor warnings', async () => {
  const out = recordingOutput();
  assert.equal(runDefinitionsCheck(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]), out), 0);
  assert.match(out.written, /^\d+ definitions, no faults\n$/);
  assert.equal(out.errors, '');
});

test('definitions check: faults go with their places, as text and as JSON, with status 1', () => {
  const files = [{ name: 'a.yaml', text: `metric:\n${definition({ type: 'x', bogus: '1' })}` }];
  const out = recordingOutput();
  assert.equal(runDefinitionsCheck(files, out), 1);
  assert.equal(
    out.written,
    "a.yaml:4:11: type_invalid: There is no meter type 'x'. Use one of gauge, delta, cumulative.\n",
  );
  assert.match(
    out.errors,
    /^warning: a\.yaml:8:5: key_unknown: .*\n1 fault: the files cannot come into force\n$/,
  );
  const json = recordingOutput();
  assert.equal(runDefinitionsCheck(files, json, { json: true }), 1);
  const told = JSON.parse(json.written) as {
    ok: boolean;
    faults: { line: number }[];
    warnings: unknown[];
  };
  assert.deepEqual([told.ok, told.faults[0]?.line, told.warnings.length], [false, 4, 1]);
});

test('definitions try: prints one sample a line, with the ids that they would have', async () => {
  const definitions = await write(
    'd.yaml',
    `metric:\n${definition({ metadata: '{id: $.payload.id}' })}`,
  );
  const lines = [NOTIFICATION, { ...NOTIFICATION, message_id: 'm-2' }].map((one) =>
    JSON.stringify(one)
  );
  const notifications = await write('n.jsonl', lines.join('\n'));
  const out = recordingOutput();
  assert.equal(
    await runDefinitionsTry(
      { definitionFiles: [definitions], notificationsFile: notifications },
      out,
    ),
    0,
  );
  const samples = out.written.trim().split('\n').map((line) => JSON.parse(line) as Sample);
  assert.equal(samples.length, 2);
  assert.deepEqual({ ...samples[0], id: '' }, {
    id: '',
    meter: 'x.size',
    type: 'gauge',
    unit: 'B',
    volume: '5',
    resource_id: 'r-1',
    project_id: null,
    user_id: null,
    source: 'openstack',
    timestamp: '2026-03-01T12:00:00.000000Z',
    recorded_at: null,
    metadata: { id: 'r-1' },
  });
  assert.match(samples[0]?.id ?? '', /^[0-9a-f]{32}$/);
  assert.notEqual(samples[0]?.id, samples[1]?.id);
});

test('definitions try: samples of one meter and resource have different ids', async () => {
  const definitions = await write(
    'e.yaml',
    `metric:\n${
      definition({ each: '$.payload.list[*]', volume: '"@"', resource_id: '$.payload.id' })
    }`,
  );
  const notifications = await write(
    'one.json',
    JSON.stringify({ ...NOTIFICATION, payload: { id: 'r', list: [1, 2, 3] } }),
  );
  const out = recordingOutput();
  await runDefinitionsTry(
    { definitionFiles: [definitions], notificationsFile: notifications },
    out,
  );
  const ids = out.written.trim().split('\n').map((line) => (JSON.parse(line) as Sample).id);
  assert.equal(new Set(ids).size, 3);
});

test('definitions try: says what would be quarantined and what gives nothing', async () => {
  const notifications = await write(
    'list.json',
    JSON.stringify([
      { ...NOTIFICATION, event_type: 'image.upload', payload: { id: 'i', owner: 'p', size: null } },
      {
        ...NOTIFICATION,
        event_type: 'image.upload',
        payload: { id: 'i', owner: 'p', size: 'big' },
      },
      { ...NOTIFICATION, event_type: 'nobody.knows' },
    ]),
  );
  const out = recordingOutput();
  assert.equal(
    await runDefinitionsTry({ definitionFiles: [], notificationsFile: notifications }, out),
    1,
  );
  assert.equal(out.written.trim().split('\n').length, 2);
  assert.match(out.errors, /notification 1 \(image\.upload\): no volume for image\.size\n/);
  assert.match(out.errors, /notification 2 would be quarantined: volume_invalid at volume: /);
  assert.match(out.errors, /notification 3 \(nobody\.knows\): no definition is for it\n/);
});

test('definitions try: one clear sentence for files that cannot be read or have faults', async () => {
  const out = recordingOutput();
  const faulty = await write('bad.yaml', 'metric: 1');
  assert.equal(
    await runDefinitionsTry({ definitionFiles: [faulty], notificationsFile: '-' }, out),
    1,
  );
  assert.match(out.errors, /bad\.yaml:1:9: metric_missing: /);
  const missing = join(directory, 'not-there.yaml');
  await assert.rejects(
    runDefinitionsTry({ definitionFiles: [missing], notificationsFile: '-' }, out),
    (error) =>
      isNephoError(error) && error.code === 'definitions_unreadable' &&
      error.message.includes(missing),
  );
  await assert.rejects(
    runDefinitionsTry({ definitionFiles: [], notificationsFile: missing }, out),
    (error) => isNephoError(error) && error.code === 'notifications_unreadable',
  );
});

test('loadDefinitionDirectory reads directories in the order given, their YAML files by name', async () => {
  const own = join(directory, 'own');
  await mkdir(own);
  for (const name of ['b.yaml', 'a.yaml', 'notes.txt']) await writeFile(join(own, name), name);
  const files = await loadDefinitionDirectory([own, SHIPPED_DEFINITIONS]);
  assert.deepEqual(files.slice(0, 2), [
    { name: join(own, 'a.yaml'), text: 'a.yaml' },
    { name: join(own, 'b.yaml'), text: 'b.yaml' },
  ]);
  assert.equal(files[2]?.name, 'nepho/audit.yaml');
  const [shipped] = await loadDefinitionDirectory([SHIPPED_DEFINITIONS.replace(/.$/, '')]);
  assert.equal(shipped?.name, 'nepho/audit.yaml');
});

async function write(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}
