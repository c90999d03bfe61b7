/** The libvirt collector against libvirt's test driver, and against a libvirtd with QEMU. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createLibvirtCollector } from '../../collectors/libvirt/collector.ts';
import { libvirtSettingsSchema } from '../../collectors/libvirt/settings_schema.ts';
import type { Reading } from '../../meters/sample.ts';
import { guestXml, libvirtSkipReason, startLibvirt, virshSkipReason } from '../support/libvirt.ts';
import {
  discovered,
  pollUnit,
  recordingPollContext,
  volumesOf,
} from '../support/recording_poll_context.ts';

const UUID = '27bcbe2d-3f1c-4de0-a751-5fee7f7e8553';
const OTHER = '37bcbe2d-3f1c-4de0-a751-5fee7f7e8553';
const NAME = 'instance-0000000a';

function collectorOf(settings: Record<string, unknown>) {
  return createLibvirtCollector(libvirtSettingsSchema.parse(settings), { hostname: 'compute-1' });
}

async function poll(uri: string) {
  const collector = collectorOf({ uri });
  const context = recordingPollContext();
  const units = await discovered(collector, context);
  const readings = await pollUnit(collector, units.get(UUID), context);
  return { readings, context, volumes: volumesOf(readings) };
}

/** `key=value` and `device key value` of virsh's own answers. */
function valueIn(text: string, key: string): string {
  const line = text.split('\n').find((each) =>
    each.includes(`${key} `) || each.includes(`${key}=`)
  );
  return line?.trim().split(/[ =]/).at(-1) ?? `no ${key}`;
}

test(
  "libvirt's test driver: instances by Nova's metadata, everything else missing with a reason",
  { skip: virshSkipReason() },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nepho-world-'));
    try {
      const world = join(directory, 'world.xml');
      const nova = guestXml({ name: NAME, uuid: UUID, disk: '/nowhere' }).replace(
        "'qemu'",
        "'test'",
      );
      const other = `<domain type='test'><name>it's another's</name><uuid>${OTHER}</uuid>
        <memory>65536</memory><os><type>hvm</type></os></domain>`;
      writeFileSync(world, `<node>${nova}${other}</node>`);
      const { volumes, readings, context } = await poll(`test://${world}`);
      assert.equal(volumes.get(`power.state ${UUID}`), '1 state');
      assert.equal(volumes.get(`memory ${UUID}`), '64 MiB');
      assert.equal(readings[0]?.project_id, 'project-1');
      assert.equal(readings[0]?.metadata['display_name'], 'web & more');
      assert(!volumes.has(`cpu ${UUID}`));
      const cpu = context.gaps.find(({ meter }) => meter === 'cpu');
      assert.equal(cpu?.reason, 'service_absent');

      const collector = collectorOf({ uri: `test://${world}` });
      const units = await discovered(collector, recordingPollContext());
      const foreign = pollUnit(collector, units.get(OTHER), recordingPollContext());
      await assert.rejects(foreign, { code: 'parse_error' });

      const away = discovered(collectorOf({ uri: 'test:///nowhere.xml' }), recordingPollContext());
      await assert.rejects(away, { code: 'unreachable' });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
);

test(
  "libvirtd with QEMU: our samples and virsh's own answers agree",
  { skip: libvirtSkipReason() },
  async () => {
    const server = await startLibvirt();
    try {
      const disk = join(server.directory, 'disk.raw');
      writeFileSync(disk, '');
      truncateSync(disk, 8 * 1024 * 1024);
      execFileSync('chmod', ['0666', disk]);
      const definition = join(server.directory, 'guest.xml');
      writeFileSync(definition, guestXml({ name: NAME, uuid: UUID, disk }));
      server.virsh('define', definition);

      const off = await poll(server.uri);
      assert.equal(off.volumes.get(`power.state ${UUID}`), '5 state');
      assert(!off.volumes.has(`cpu ${UUID}`));
      assert.deepEqual(off.context.gaps, []);

      server.virsh('start', NAME);
      await untilItRead(() => server.virsh('domblkstat', NAME, 'vda'));
      // Paused, so that nothing moves between their question and ours.
      server.virsh('suspend', NAME);
      const { volumes, readings, context } = await poll(server.uri);
      const block = server.virsh('domblkstat', NAME, 'vda');
      const info = server.virsh('domblkinfo', NAME, 'vda');
      const stats = server.virsh('domstats', '--raw', '--vcpu', NAME);
      assert.equal(volumes.get(`power.state ${UUID}`), '3 state');
      for (
        const [meter, key, unit] of [
          ['read.requests', 'rd_req', 'request'],
          ['read.bytes', 'rd_bytes', 'B'],
          ['write.requests', 'wr_req', 'request'],
          ['write.bytes', 'wr_bytes', 'B'],
          ['read.latency', 'rd_total_times', 'ns'],
          ['write.latency', 'wr_total_times', 'ns'],
        ] as const
      ) {
        const volume = volumes.get(`disk.device.${meter} ${UUID}-vda`);
        assert.equal(volume, `${valueIn(block, key)} ${unit}`, meter);
      }
      assert.notEqual(volumes.get(`disk.device.read.bytes ${UUID}-vda`), '0 B');
      const sizeOf = (key: string) => `${valueIn(info, key)} B`;
      assert.equal(volumes.get(`disk.device.capacity ${UUID}-vda`), sizeOf('Capacity:'));
      assert.equal(volumes.get(`disk.device.usage ${UUID}-vda`), sizeOf('Physical:'));
      const vcpuTime = ['vcpu.0.time', 'vcpu.0.wait', 'vcpu.1.time', 'vcpu.1.wait']
        .reduce((sum, key) => sum + BigInt(valueIn(stats, key)), 0n);
      assert.equal(volumes.get(`cpu ${UUID}`), `${vcpuTime} ns`);
      assertOwned(readings);
      assert(context.gaps.every(({ reason }) => reason === 'service_absent'));
      assert(!readings.some(({ resource_id }) => resource_id.includes('hdc')));

      await server.shutDown();
      await assert.rejects(poll(server.uri), { code: 'unreachable' });
    } finally {
      await server.stop();
    }
  },
);

function assertOwned(readings: readonly Reading[]): void {
  for (const { meter, project_id, user_id, metadata } of readings) {
    assert.equal(project_id, 'project-1', meter);
    assert.equal(user_id, 'user-1', meter);
    assert.equal(metadata['name'], NAME, meter);
  }
}

async function untilItRead(ask: () => string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (valueIn(ask(), 'rd_bytes') !== '0') return;
    await delay(50);
  }
  throw new Error('the guest read nothing from its disk');
}
