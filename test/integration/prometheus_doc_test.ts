/** What docs/collectors/prometheus.md shows, tried: by itself, and against Debian's exporters. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import type { Reading } from '../../meters/sample.ts';
import { atExit } from '../support/at_exit.ts';
import {
  collectorFor,
  pollAll,
  prometheusSettings,
  servePage,
  startExporter,
} from '../support/exporter.ts';
import { freePort } from '../support/free_port.ts';
import { recordingPollContext } from '../support/recording_poll_context.ts';

const document = await readFile(
  new URL('../../docs/collectors/prometheus.md', import.meta.url),
  'utf8',
);
const START_TIMEOUT_MS = 10_000;

test('docs/collectors/prometheus.md: the settings that it shows are valid', () => {
  const { collectors, sources } = parse(block('yaml settings'));
  const settings = prometheusSettings(collectors.prometheus);
  assert.deepEqual(settings.endpoints.map(({ name }) => name), ['compute-1', 'monitoring']);
  const names = new Set(settings.mappings.map(({ meter }) => meter));
  assert.deepEqual(sources[0].meters, [...names]);
});

test('docs/collectors/prometheus.md: the worked example gives the readings that it shows', async () => {
  const exporter = await startExporter(servePage(block('text page')));
  const settings = parse(block('yaml example'));
  settings.endpoints[0].url = `${exporter.url}/metrics`;
  const collector = collectorFor(settings);
  const context = recordingPollContext();
  try {
    assert.deepEqual(await pollAll(collector, context), JSON.parse(block('json readings')));
    assert.deepEqual(context.gaps.map(({ meter, reason }) => [meter, reason]), [
      ['disk.*', 'value_invalid'],
    ]);
  } finally {
    await collector.close();
    await exporter.stop();
  }
});

test('docs/collectors/prometheus.md: its mappings read a real node_exporter', {
  skip: missing('prometheus-node-exporter'),
}, async () => {
  const readings = await pollProgram('prometheus-node-exporter', [], 'node_exporter');
  const meters = new Set(readings.map(({ meter }) => meter));
  const expected = [
    'hardware.cpu.load.1min',
    'hardware.cpu.load.15min',
    'hardware.cpu.idle.time',
    'hardware.cpu.user.time',
    'hardware.memory.total',
    'hardware.memory.cached',
  ];
  for (const meter of expected) assert.ok(meters.has(meter), meter);
  const memory = /MemTotal:\s+(\d+) kB/.exec(await readFile('/proc/meminfo', 'utf8'))?.[1];
  const total = readings.find(({ meter }) => meter === 'hardware.memory.total');
  assert.deepEqual([total?.volume, total?.type, total?.resource_id], [memory, 'gauge', 'tried']);
  const idle = readings.find(({ meter }) => meter === 'hardware.cpu.idle.time');
  assert.equal(idle?.type, 'cumulative');
});

test('docs/collectors/prometheus.md: its mappings read a real libvirt exporter', {
  skip: missing('prometheus-libvirt-exporter'),
}, async () => {
  const readings = await pollProgram(
    'prometheus-libvirt-exporter',
    ['--libvirt.uri=test:///default'],
    'libvirt_exporter',
  );
  // The driver's domain that every libvirt has for tests.
  const uuid = '6695eb01-f6a4-8304-79aa-97f2502e193f';
  const disk = `${uuid}-vda`;
  const nic = `test-${uuid}-testnet0`;
  assert.deepEqual(
    readings.map(({ meter, type, unit, resource_id }) => `${meter} ${type} ${unit} ${resource_id}`)
      .sort(byText),
    [
      `cpu cumulative ns ${uuid}`,
      `disk.device.read.bytes cumulative B ${disk}`,
      `disk.device.read.requests cumulative request ${disk}`,
      `disk.device.write.bytes cumulative B ${disk}`,
      `disk.device.write.requests cumulative request ${disk}`,
      `memory gauge MiB ${uuid}`,
      `network.incoming.bytes cumulative B ${nic}`,
      `network.outgoing.bytes cumulative B ${nic}`,
      `vcpus gauge vcpu ${uuid}`,
    ],
  );
  const volumes = new Map(readings.map(({ meter, volume }) => [meter, volume]));
  assert.deepEqual([volumes.get('memory'), volumes.get('vcpus')], ['8192', '2']);
});

function missing(program: string): string | false {
  return existsSync(`/usr/bin/${program}`) ? false : `apt-get install ${program}: it is not there`;
}

/** Starts an exporter on a port of its own, and polls it once by the mappings of the documentation. */
async function pollProgram(
  program: string,
  args: readonly string[],
  language: string,
): Promise<Reading[]> {
  const host = `127.0.0.1:${await freePort()}`;
  const server = spawn(`/usr/bin/${program}`, [`--web.listen-address=${host}`, ...args], {
    stdio: 'ignore',
  });
  const forget = atExit(() => server.kill('SIGKILL'));
  const collector = collectorFor({
    endpoints: [{ name: 'tried', url: `http://${host}/metrics` }],
    mappings: parse(block(`yaml ${language}`)),
  });
  const context = recordingPollContext();
  try {
    await listening(`http://${host}/`);
    const readings = await pollAll(collector, context);
    // Of file systems mounted over each other, a machine may have two at one place.
    assert.deepEqual(context.gaps.filter(({ meter }) => !meter.startsWith('hardware.disk')), []);
    return readings;
  } finally {
    await collector.close();
    const gone = new Promise((resolve) => server.once('exit', resolve));
    if (server.exitCode === null && server.kill('SIGKILL')) await gone;
    forget();
  }
}

async function listening(url: string): Promise<void> {
  for (const end = Date.now() + START_TIMEOUT_MS;;) {
    try {
      const answer = await fetch(url);
      await answer.body?.cancel();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await delay(50);
    }
  }
}

function block(language: string): string {
  const start = document.indexOf(`\`\`\`${language}\n`);
  assert.ok(start >= 0, language);
  const from = document.indexOf('\n', start) + 1;
  return document.slice(from, document.indexOf('```', from));
}

function byText(left: string, right: string): number {
  return left < right ? -1 : 1;
}
