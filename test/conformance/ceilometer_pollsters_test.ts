import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readVolume } from '../../meters/definition_volume.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import { findCeilometer } from '../support/ceilometer.ts';
import { answerPollsters } from '../support/pollster_answers.ts';
import { pollAll, startRestWorld } from '../support/rest_world.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/pollsters/', import.meta.url));
const SCRIPT = fileURLToPath(new URL('ceilometer_pollsters.py', import.meta.url));
const run = promisify(execFile);

interface Theirs {
  name: string;
  samples: JsonObject[];
  error: string | null;
}

function idText(value: JsonValue): JsonValue {
  return typeof value === 'number' ? String(value) : value;
}

for (const file of readdirSync(FIXTURES).sort()) {
  test(
    `the pollsters of ${file} give the samples that Ceilometer's give`,
    { skip: findCeilometer() ?? false },
    async () => {
      await using world = await startRestWorld(answerPollsters);
      const endpoints = {
        volumev3: `${world.origin}/service`,
        identity: `${world.origin}/identity/v3`,
      };
      const { stdout } = await run('/usr/bin/python3', [
        SCRIPT,
        FIXTURES + file,
        JSON.stringify(endpoints),
        'gAAAA-0',
      ], { timeout: 30_000 });
      const theirs = stdout.trim().split('\n').map((line) =>
        parseExactJson(line) as unknown as Theirs
      );
      const [collector] = world.collectors(readFileSync(FIXTURES + file, 'utf8'));
      assert.ok(collector !== undefined);
      const ours = await pollAll(collector, world.context);
      assert.deepEqual(ours.map(({ name }) => name), theirs.map(({ name }) => `rest.${name}`));
      for (const [at, { name, error, samples }] of theirs.entries()) {
        assert.equal(error, null, name);
        assert.notEqual(samples.length, 0, name);
        assert.deepEqual(ours[at]?.failures, [], name);
        assert.deepEqual(
          ours[at]?.readings,
          samples.map((sample) => ({
            ...sample,
            timestamp: world.context.now(),
            volume: readVolume(sample['volume'] ?? null),
            resource_id: idText(sample['resource_id'] ?? null),
          })),
          name,
        );
      }
    },
  );
}
