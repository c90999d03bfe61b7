/** The rules by which samples become usage: the file, what is shipped, and what they make of samples. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from '../../cli/definition_files.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { isNephoError } from '../../meters/errors.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import { readingOf, ruleOf, type UsageRow, usageRulesOf } from '../../meters/usage_rules.ts';
import { parseUsageRules, usageRulesDocumentSchema } from '../../meters/usage_rules_schema.ts';

const HOUR = 3_600_000_000n;

const ROW: UsageRow = {
  at: 1_767_225_600_000_000n,
  volume: '1',
  id: 'a',
  eventType: 'compute.instance.exists',
  since: null,
  until: null,
};

test('the shipped rules hold what exists for 25 hours, and anything else for one', async () => {
  const rules = await loadUsageRules();
  for (const meter of ['instance', 'instance:m1.tiny', 'vcpus', 'volume.size', 'ip.floating']) {
    assert.equal(ruleOf(rules, meter).stalenessMicros, 25n * HOUR, meter);
  }
  for (const meter of ['cpu_util', 'disk.read.bytes', 'volume.create.end', 'instance.scheduled']) {
    assert.equal(ruleOf(rules, meter).stalenessMicros, HOUR, meter);
  }
});

test('the shipped rules know how things end, and keep the word of audits', async () => {
  const rules = await loadUsageRules();
  const rule = ruleOf(rules, 'instance');
  const end = { ...ROW, eventType: 'compute.instance.delete.end', until: '2026-01-01 00:00:03' };
  assert.equal(rule.sinceKey, 'launched_at');
  assert.equal(readingOf(rule, end).ends, true);
  assert.equal(readingOf(rule, end).until, 1_767_225_603_000_000n);
  assert.equal(readingOf(rule, { ...ROW, eventType: 'compute.instance.delete.start' }).ends, false);
  assert.equal(readingOf(rule, { ...ROW, eventType: null }).ends, false, 'a polled sample');
  assert.equal(
    readingOf(ruleOf(rules, 'ip.floating'), { ...ROW, eventType: 'floatingip.delete.end' }).ends,
    true,
  );
  assert.equal(readingOf(ruleOf(rules, 'cpu_util'), end).ends, false);
});

test('metadata that is no time says nothing', async () => {
  const rule = ruleOf(await loadUsageRules(), 'instance');
  for (const since of [null, '', 'yesterday', 12, {}, '2026-02-30T00:00:00']) {
    assert.equal(readingOf(rule, { ...ROW, since }).since, null);
  }
  assert.equal(
    readingOf(rule, { ...ROW, since: '2026-01-01T00:00:00.5+00:00' }).since,
    1_767_225_600_500_000n,
  );
});

test('the first rule that names a meter counts, and an excluding pattern leaves one out', () => {
  const parsed = parseUsageRules(`
staleness: 10m
rules:
  - { meters: ["disk.*", "!disk.read.*"], staleness: 2d }
  - { meters: [disk.root.size], staleness: 5s }
`);
  assert.ok(parsed.ok);
  assert.equal(ruleOf(parsed.config, 'disk.root.size').stalenessMicros, 48n * HOUR);
  assert.equal(ruleOf(parsed.config, 'disk.read.bytes').stalenessMicros, HOUR / 6n);
});

test('the document of the log makes the same rules again', async () => {
  const rules = await loadUsageRules();
  const document = usageRulesDocumentSchema.parse(JSON.parse(JSON.stringify(rules.document)));
  assert.deepEqual(document, rules.document);
  assert.equal(ruleOf(usageRulesOf(document), 'instance').untilKey, 'deleted_at');
});

test('every fault of a file is told at once, with its place', () => {
  const parsed = parseUsageRules(
    `staleness: 1 hour
rule: []
rules:
  - meters: []
    staleness: 0s
  - meters: ["!a"]
    ends: [{}]
    untill: deleted_at
  - staleness: 41d
`,
    { file: 'usage.yaml' },
  );
  assert.ok(!parsed.ok);
  const duration = 'it is no time from 1s to 40d. Write a number and s, m, h or d, as 25h.';
  const patterns = 'no pattern of it includes anything. Name what is meant.';
  assert.deepEqual(parsed.faults.map(formatFault), [
    `usage.yaml:1:12: setting_invalid: 'usage.staleness' cannot be used: ${duration}`,
    "usage.yaml:2:1: key_unknown: The key 'usage.rule' has no meaning here. Write rules:.",
    `usage.yaml:4:13: setting_invalid: 'usage.rules[0].meters' cannot be used: ${patterns}`,
    `usage.yaml:5:16: setting_invalid: 'usage.rules[0].staleness' cannot be used: ${duration}`,
    `usage.yaml:6:13: setting_invalid: 'usage.rules[1].meters' cannot be used: ${patterns}`,
    "usage.yaml:7:12: setting_invalid: 'usage.rules[1].ends[0]' cannot be used: expected string, received object. Correct the value.",
    "usage.yaml:8:5: key_unknown: The key 'usage.rules[1].untill' has no meaning here. Write until:.",
    "usage.yaml:9:5: key_missing: 'usage.rules[2].meters' is missing. Add meters:.",
    `usage.yaml:9:16: setting_invalid: 'usage.rules[2].staleness' cannot be used: ${duration}`,
  ]);
});

test('a faulty file stops the command with all of its faults, and a missing one with its name', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nepho-usage-'));
  try {
    const file = path.join(folder, 'usage.yaml');
    writeFileSync(file, 'rules: [{ meters: [] }, { meters: [a], ends: b }]\n');
    await assert.rejects(
      loadUsageRules(file),
      (error) =>
        isNephoError(error) && error.code === 'usage_rules_faulty' &&
        error.message.includes(`${file}:1:`) && error.message.endsWith('it has 2 faults'),
    );
    await assert.rejects(
      loadUsageRules(path.join(folder, 'none.yaml')),
      (error) => isNephoError(error) && error.code === 'usage_rules_unreadable',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the rules are no definitions', async () => {
  const files = await loadDefinitionDirectory([SHIPPED_DEFINITIONS]);
  assert.deepEqual(files.filter(({ name }) => name.includes('usage')), []);
});
