import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { createHttpClient } from '../../collectors/http/create_http_client.ts';
import { DEFAULT_LIMITS } from '../../collectors/http/http_client.ts';
import { loadModules, type ModuleOptions } from '../../collectors/modules/load_modules.ts';
import type { Collector } from '../../collectors/polling/pollster.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import { isNephoError } from '../../meters/errors.ts';
import { discovered, pollUnit, recordingPollContext } from '../support/recording_poll_context.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLE = './docs/collectors/examples/room_climate.ts';
const EXAMPLES = [EXAMPLE, './docs/collectors/examples/printers.ts'];

const http = createHttpClient({ limitsOf: () => DEFAULT_LIMITS, nowMs: Date.now });
const deps = { http, secret: () => Promise.resolve('s'), nowMs: Date.now };

/** Loads modules that are written for the test. */
async function load(
  files: Readonly<Record<string, string>>,
  specifiers: readonly string[] = Object.keys(files).map((name) => `./${name}`),
  options: Partial<ModuleOptions> = {},
) {
  const base = await mkdtemp(path.join(tmpdir(), 'nepho-modules-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(base, name)), { recursive: true });
      await writeFile(path.join(base, name), text);
    }
    return await loadModules(specifiers, { base, deps, ...options });
  } finally {
    await rm(base, { recursive: true });
  }
}

async function faultsOf(...args: Parameters<typeof load>): Promise<string> {
  const loaded = await load(...args);
  return loaded.ok ? '' : loaded.faults.map(formatFault).join('\n');
}

async function collectorOf(text: string): Promise<Collector> {
  const loaded = await load({ 'm.mjs': text });
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
  const [collector] = loaded.collectors;
  assert.ok(collector !== undefined);
  return collector;
}

test('the worked example of the documentation reads its sensors', async () => {
  const server = createServer((_, response) => {
    response.end(JSON.stringify([
      { id: 's1', room: 'R 1', tenant: 'p1', celsius: 21.5, door_opened: 7 },
      { id: 's2', room: 'R 2', tenant: 'p2', celsius: 'broken', door_opened: 0 },
    ]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const loaded = await loadModules([EXAMPLE], { base: PROJECT, deps });
    const [collector] = loaded.ok ? loaded.collectors : [];
    assert.ok(collector !== undefined, loaded.ok ? '' : loaded.faults.map(formatFault).join());
    const context = recordingPollContext();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const units = await discovered(collector, context, url);
    const readings = await pollUnit(collector, units.get('s1'), context);
    const about = {
      resource_id: 's1',
      project_id: 'p1',
      user_id: null,
      timestamp: context.now(),
      metadata: { room: 'R 1' },
    };
    assert.deepEqual(readings, [
      { ...about, meter: 'room.temperature', type: 'gauge', unit: '°C', volume: '21.5' },
      { ...about, meter: 'room.door.opened', type: 'cumulative', unit: 'opening', volume: '7' },
    ]);
    await assert.rejects(pollUnit(collector, units.get('s2'), context), { code: 'value_invalid' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('the documentation shows its examples as they are, and they load', async () => {
  const page = await readFile(path.join(PROJECT, 'docs/collectors/your_own.md'), 'utf8');
  for (const example of EXAMPLES) {
    const text = await readFile(path.join(PROJECT, example), 'utf8');
    assert.ok(page.includes(`\`\`\`ts\n${text}\`\`\``), example);
  }
  const loaded = await loadModules(EXAMPLES, { base: PROJECT, deps });
  assert.ok(loaded.ok);
});

const PAIR = `
export const climate = {
  name: 'my.climate',
  meters: [{ name: 'my.heat', type: 'gauge', unit: 'K' }],
  discovery: 'my_rooms',
  poll: ({ id }, context) => [{ meter: 'my.heat', volume: 300n, resource_id: id }],
};
export const rooms = {
  name: 'my_rooms',
  async *discover() { yield [{ id: 'r1', data: null }]; },
};
`;

test('a module exports a pollster, a discovery, a list, a collector or a function of these', async () => {
  const forms = {
    'pair.mjs': PAIR,
    'list.js': PAIR.replaceAll('my', 'list').replaceAll('export const', 'const') +
      'export default [climate, [rooms]];',
    'made.ts': PAIR.replaceAll('my', 'made').replaceAll('export const', 'const') +
      'export default async ({ nowMs }: { nowMs(): number }) => nowMs() > 0 ? { name: "c", pollsters: [climate], discoveries: [rooms], close: async () => {} } : [];',
    'node_modules/climate/index.js':
      PAIR.replaceAll('my', 'package').replaceAll('export const', 'const') +
      'module.exports = { climate, rooms };',
    'node_modules/climate/package.json':
      '{"name": "climate", "version": "1.0.0", "main": "index.js"}',
    'package.json': '{"type": "module"}',
  };
  const loaded = await load(forms, ['./pair.mjs', './list.js', './made.ts', 'climate']);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.faults.map(formatFault).join('\n'));
  assert.deepEqual(
    loaded.collectors.map(({ pollsters, discoveries }) =>
      [pollsters, discoveries].flat().map(({ name }) => name)
    ),
    ['my', 'list', 'made', 'package'].map((name) => [`${name}.climate`, `${name}_rooms`]),
  );
  const context = recordingPollContext();
  for (const collector of loaded.collectors) {
    const units = await discovered(collector, context);
    const [reading] = await pollUnit(collector, units.get('r1'), context);
    assert.equal(reading?.volume, '300');
    assert.deepEqual([reading?.unit, reading?.project_id, reading?.metadata], ['K', null, {}]);
    await collector.close();
  }
});

test('all that is wrong with all modules is told at once', async () => {
  const faults = await faultsOf({
    'a.mjs': `
export const one = { name: 'a b', meters: [{ name: '', type: 'Gauge' }], poll: 5 };
export const two = { name: 'x', discover: 1 };
export const three = 7;
export const four = () => { throw new Error('no room'); };
export const five = {};`,
    'b.mjs': 'throw new Error("broken at load");',
    'c.mjs': 'export default {',
    'd.mjs': '',
    'e.mjs': PAIR,
    'f.mjs': PAIR.replace("discovery: 'my_rooms'", "discovery: 'none', async *discover() {}"),
  }, [
    './a.mjs',
    './b.mjs',
    './c.mjs',
    './d.mjs',
    './e.mjs',
    './f.mjs',
    './gone.mjs',
    'no-such-package',
  ]);
  for (
    const fault of [
      /\.\/a\.mjs:1:1: .*Export 'one' has the name 'a b'/,
      /Export 'one'\.meters\[0\]\.name is an empty text/,
      /Export 'one'\.meters\[0\]\.type is 'Gauge'\. Write gauge, delta, cumulative/,
      /Export 'one'\.meters\[0\]\.unit is undefined/,
      /Export 'one'\.poll is the number 5/,
      /Export 'one' does not say what brings its units/,
      /Export 'two'\.discover is the number 1/,
      /Export 'three' is the number 7/,
      /Export 'four' is a function that fails: no room/,
      /\.\/b\.mjs:1:1: .*cannot be loaded: broken at load/,
      /\.\/c\.mjs:1:1: .*cannot be loaded/,
      /\.\/d\.mjs:1:1: .*exports nothing/,
      /\.\/f\.mjs:1:1: .*both 'discover' and 'discovery'/,
      /\.\/gone\.mjs:1:1: .*there is no file/,
      /no-such-package:1:1: .*cannot be loaded/,
    ]
  ) assert.match(faults, fault);
  assert.doesNotMatch(faults, /\.\/e\.mjs/);
});

test('no two have one name, neither among modules nor with others', async () => {
  const twice = await faultsOf({ 'a.mjs': PAIR, 'b.mjs': PAIR });
  assert.match(
    twice,
    /b\.mjs:1:1: name_duplicate: The pollster 'my\.climate' has the name of one of '\.\/a\.mjs'/,
  );
  assert.match(twice, /The discovery 'my_rooms'/);
  const taken = { pollsters: new Set(['my.climate']), discoveries: new Set(['tenant']) };
  const with_others = await faultsOf(
    { 'a.mjs': PAIR.replace("discovery: 'my_rooms'", "discovery: 'rooms:all'") },
    undefined,
    { taken },
  );
  assert.match(with_others, /'my\.climate' has the name of one of nepho/);
  assert.match(with_others, /wants the discovery 'rooms', which nobody has/);
});

test('what a module gives at run time is looked at, unit by unit', async () => {
  const cases: [reading: string, code: string | null, message: RegExp][] = [
    ["{ meter: 'my.heat', volume: '1e3', resource_id: 'r' }", null, /1000/],
    [
      "{ meter: 'my.heat', volume: 1.5, resource_id: 'r', timestamp: '2026-01-01 00:00:00' }",
      null,
      /1\.5/,
    ],
    [
      "{ meter: 'my.heat', volume: NaN, resource_id: 'r' }",
      'value_invalid',
      /volume is the number NaN/,
    ],
    ["{ meter: 'my.heat', volume: {}, resource_id: 'r' }", 'value_invalid', /volume is an object/],
    [
      "{ meter: 'my.cold', volume: 1, resource_id: 'r' }",
      'pollster_failed',
      /'my\.cold', want one of its 'meters'/,
    ],
    ["{ meter: 'my.heat', volume: 1 }", 'pollster_failed', /resource_id is undefined/],
    ["{ meter: 'my.heat', volume: 1, resource_id: 'r', unit: 'F' }", 'pollster_failed', /differ/],
    [
      "{ meter: 'my.heat', volume: 1, resource_id: 'r', project_id: 5 }",
      'pollster_failed',
      /the number 5/,
    ],
    [
      "{ meter: 'my.heat', volume: 1, resource_id: 'r', metadata: { n: 1n } }",
      'pollster_failed',
      /no JSON/,
    ],
    [
      "{ meter: 'my.heat', volume: 1, resource_id: 'r', timestamp: 'noon' }",
      'timestamp_invalid',
      /'noon'/,
    ],
    ['5', 'pollster_failed', /the number 5/],
  ];
  const context = recordingPollContext();
  for (const [reading, code, message] of cases) {
    const text = PAIR.replace(/\[\{ meter.*\}\]/, () => `[${reading}]`);
    const collector = await collectorOf(text);
    const unit = (await discovered(collector, context)).get('r1');
    try {
      const [given] = await pollUnit(collector, unit, context);
      assert.equal(code, null, reading);
      assert.match(given?.volume ?? '', message);
    } catch (error) {
      if (!isNephoError(error)) throw error;
      assert.equal(error.code, code, reading);
      assert.match(error.message, message);
    }
  }
  for (const page of ['5', '[{ id: 5 }]', '[{ data: 1 }]']) {
    const collector = await collectorOf(PAIR.replace("[{ id: 'r1', data: null }]", page));
    await assert.rejects(discovered(collector, context), { code: 'pollster_failed' });
  }
});

test.after(() => http.close());
