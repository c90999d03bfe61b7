import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { formatFault } from '../../meters/definition_fault.ts';
import { parsePolling } from '../../meters/polling_parse.ts';
import { type RawSetting, unknownSetting } from '../../meters/raw_setting.ts';
import { parseSetting } from '../../meters/setting_schema.ts';

const schema = z.strictObject({
  uri: z.string().regex(/^x:/, 'write x:…'),
  timeout: z.number().positive().default(5),
  access: z.union([
    z.strictObject({ version: z.literal('2c'), community_file: z.string() }),
    z.strictObject({ version: z.literal('3'), user: z.string() }),
  ]).optional(),
  targets: z.array(z.strictObject({ host: z.string(), port: z.int().max(65_535).optional() }))
    .default([]),
  limits: z.record(z.string(), z.strictObject({ concurrency: z.int() })).optional(),
}).superRefine(({ targets }, context) => {
  if (targets.length < 4) return;
  context.addIssue({
    code: 'custom',
    path: ['targets', 3],
    message: 'there are too many',
    params: { remedy: 'Remove one' },
  });
});

function settingOf(yaml: string): RawSetting {
  const lines = yaml.split('\n').map((line) => `    ${line}\n`).join('');
  const parsed = parsePolling(`sources: []\ncollectors:\n  x:\n${lines}`, { file: 'p' });
  assert.ok(parsed.ok);
  const setting = parsed.config.collectors.get('x');
  assert.ok(setting !== undefined);
  return setting;
}

function faultsOf(yaml: string): string[] {
  const parsed = parseSetting(schema, settingOf(yaml));
  return parsed.ok ? [] : parsed.faults.map(formatFault);
}

test('parseSetting gives the settings of a collector as its schema makes them', () => {
  const parsed = parseSetting(schema, settingOf('uri: x:1\ntargets: [{ host: a }]'));
  assert.deepEqual(parsed, {
    ok: true,
    value: { uri: 'x:1', timeout: 5, targets: [{ host: 'a' }] },
  });
});

test('each issue of a schema is told at its place in the file, with the key that was meant', () => {
  assert.deepEqual(faultsOf('url: y:1\ntargets:\n  - host: 5\n    prot: 80\n  - port: 70000'), [
    "p:4:5: key_missing: 'collectors.x.uri' is missing. Add uri:.",
    "p:4:5: key_unknown: The key 'collectors.x.url' has no meaning here. Write uri:.",
    "p:6:15: setting_invalid: 'collectors.x.targets[0].host' cannot be used: expected string, received number. Correct the value.",
    "p:7:9: key_unknown: The key 'collectors.x.targets[0].prot' has no meaning here. Write port:.",
    "p:8:9: key_missing: 'collectors.x.targets[1].host' is missing. Add host:.",
    "p:8:15: setting_invalid: 'collectors.x.targets[1].port' cannot be used: Too big: expected number to be <=65535. Correct the value.",
  ]);
});

test('what a schema says to do is told as the remedy', () => {
  assert.deepEqual(faultsOf('uri: y:1'), [
    "p:4:10: setting_invalid: 'collectors.x.uri' cannot be used. Write x:….",
  ]);
  const targets = '[{ host: a }, { host: b }, { host: c }, { host: d }]';
  assert.deepEqual(faultsOf(`uri: x:1\ntargets: ${targets}`), [
    "p:5:54: setting_invalid: 'collectors.x.targets[3]' cannot be used: there are too many. Remove one.",
  ]);
});

test('of a choice, the faults of what was most likely meant are told', () => {
  assert.deepEqual(faultsOf("uri: x:1\naccess: { version: '3', usr: me }"), [
    "p:5:13: key_missing: 'collectors.x.access.user' is missing. Add user:.",
    "p:5:29: key_unknown: The key 'collectors.x.access.usr' has no meaning here. Write user:.",
  ]);
});

test('places lead through the keys of a record', () => {
  assert.deepEqual(faultsOf('uri: x:1\nlimits:\n  compute: { concurrencyy: 5, concurrency: a }'), [
    "p:6:18: key_unknown: The key 'collectors.x.limits.compute.concurrencyy' has no meaning here. Write concurrency:.",
    "p:6:48: setting_invalid: 'collectors.x.limits.compute.concurrency' cannot be used: expected number, received string. Correct the value.",
  ]);
});

test('a collector that there is not is told with the name that was meant', () => {
  assert.equal(
    formatFault(unknownSetting(settingOf('uri: x:1'), ['xx', 'libvirt'])),
    "p:3:3: key_unknown: The key 'collectors.x' has no meaning here. Write xx:.",
  );
});
