import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLibvirtCollector } from '../../collectors/libvirt/collector.ts';
import { parseDomainDescription } from '../../collectors/libvirt/domain_description.ts';
import { parseDomainList, parseDomstats } from '../../collectors/libvirt/domstats.ts';
import { libvirtSettingsSchema } from '../../collectors/libvirt/settings_schema.ts';
import type { Collector, PollContext } from '../../collectors/polling/pollster.ts';
import { isNephoError } from '../../meters/errors.ts';
import { isCanonicalQuantity } from '../../meters/quantity.ts';
import {
  discovered,
  pollUnit,
  recordingPollContext,
  volumesOf,
} from '../support/recording_poll_context.ts';

const RECORDED = fileURLToPath(new URL('../fixtures/polling/libvirt', import.meta.url));
const BIG = '27bcbe2d-3f1c-4de0-a751-5fee7f7e8554';
const OLD = 'ff58e738-12f4-4c58-acde-77617b68da56';
const QEMU = '27bcbe2d-3f1c-4de0-a751-5fee7f7e8553';
const OFF = '5d0c3c0e-51a8-4a6a-9a0e-2b6d1f6a8f10';
const FOREIGN = '0b4a9a1e-7a3e-4a5d-8f33-8d2c0a1f0c55';
const PROJECT = '0f8ad7b1c5a24ca0a4e8a3f3b5a6b8a2';

const directory = mkdtempSync(join(tmpdir(), 'nepho-libvirt-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** A virsh that answers what was recorded, and writes down what it was asked. */
function recordedVirsh(changes: Readonly<Record<string, string>> = {}): {
  program: string;
  files: string;
  calls(): string[];
} {
  const files = mkdtempSync(join(directory, 'recorded-'));
  for (const name of readdirSync(RECORDED)) {
    writeFileSync(join(files, name), changes[name] ?? readFileSync(join(RECORDED, name)));
  }
  const log = join(files, 'calls');
  const program = join(files, 'virsh');
  const lines = [
    '#!/bin/sh',
    'shift 3',
    `echo "$*" >> ${log}`,
    'case $1 in',
    `list) cat ${files}/list.txt ;;`,
    `domstats) cat ${files}/domstats.txt ;;`,
    `dumpxml) [ -f ${files}/$2.xml ] || { echo "error: failed to get domain '$2'" >&2; exit 1; }`,
    `  cat ${files}/$2.xml ;;`,
    'esac',
  ];
  writeFileSync(program, `${lines.join('\n')}\n`);
  chmodSync(program, 0o755);
  const calls = () => existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  return { program, files, calls };
}

function collectorOf(virsh: string, settings: Record<string, unknown> = {}): Collector {
  const parsed = libvirtSettingsSchema.parse({ virsh, ...settings });
  return createLibvirtCollector(parsed, { hostname: 'compute-1' });
}

async function pollRecorded(
  uuid: string,
  settings: Record<string, unknown> = {},
  changes: Partial<PollContext> = {},
) {
  const collector = collectorOf(recordedVirsh().program, settings);
  const context = recordingPollContext(changes);
  const units = await discovered(collector, context);
  return { readings: await pollUnit(collector, units.get(uuid), context), context };
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => null, (caught: unknown) => caught);
  assert(isNephoError(error), String(error));
  return `${error.code}: ${error.message}`;
}

test('a KVM domain gives every number of libvirt exactly, beyond 2^53 too', async () => {
  const { readings, context } = await pollRecorded(BIG);
  const volumes = volumesOf(readings);
  const nic = `instance-000000ee-${BIG}-tap256efb14-ad`;
  for (
    const [key, volume] of [
      [`cpu ${BIG}`, '52221322430000000 ns'],
      [`power.state ${BIG}`, '1 state'],
      [`instance ${BIG}`, '1 instance'],
      [`instance:c16.large ${BIG}`, '1 instance'],
      [`vcpus ${BIG}`, '16 vcpu'],
      [`memory ${BIG}`, '32768 MiB'],
      [`disk.root.size ${BIG}`, '160 GiB'],
      [`disk.ephemeral.size ${BIG}`, '0 GiB'],
      // (32778184 - 23161172) / 1024
      [`memory.usage ${BIG}`, '9391.61328125 MiB'],
      [`memory.resident ${BIG}`, '31784.625 MiB'],
      [`memory.available ${BIG}`, '32009.9453125 MiB'],
      [`memory.swap.in ${BIG}`, '0 MiB'],
      [`disk.device.read.requests ${BIG}-vda`, '5355351 request'],
      [`disk.device.write.requests ${BIG}-vda`, '15710720 request'],
      [`disk.device.read.bytes ${BIG}-vda`, '217238636544 B'],
      [`disk.device.write.bytes ${BIG}-vda`, '924862565888 B'],
      [`disk.device.read.latency ${BIG}-vda`, '29233985318577 ns'],
      [`disk.device.write.latency ${BIG}-vda`, '11025844354065885 ns'],
      [`disk.device.capacity ${BIG}-vda`, '171798691840 B'],
      [`disk.device.allocation ${BIG}-vda`, '171798671360 B'],
      [`disk.device.usage ${BIG}-vda`, '171798691840 B'],
      [`disk.write.bytes ${BIG}`, '924862565888 B'],
      [`network.incoming.bytes ${nic}`, '945777256706 B'],
      [`network.incoming.packets ${nic}`, '3406495058 packet'],
      [`network.outgoing.bytes ${nic}`, '912455379041 B'],
      [`network.outgoing.packets ${nic}`, '6601093454 packet'],
      [`network.outgoing.packets.drop ${nic}`, '0 packet'],
      [`network.incoming.packets.error ${nic}`, '0 packet'],
    ] as const
  ) assert.equal(volumes.get(key), volume, key);
  // Its events are not counted: said to be missing, and never zero.
  assert.deepEqual(context.gaps.map(({ meter, reason }) => `${meter} ${reason}`), [
    'perf.cpu.cycles service_absent',
    'perf.instructions service_absent',
    'perf.cache.references service_absent',
    'perf.cache.misses service_absent',
    'memory.bandwidth.total service_absent',
    'memory.bandwidth.local service_absent',
    'cpu_l3_cache service_absent',
  ]);
  assert(context.gaps.every(({ unit }) => unit === BIG));
});

test("samples carry the instance's owner, and metadata in Ceilometer's words", async () => {
  const { readings } = await pollRecorded(BIG);
  for (const reading of readings) {
    assert.equal(reading.project_id, PROJECT);
    assert.equal(reading.user_id, '9c2ff4ce3b4944bd9a0d5e7d2c6f0b11');
    assert.equal(reading.timestamp, '2026-01-31T12:00:01.000000Z');
    assert(isCanonicalQuantity(reading.volume), reading.volume);
  }
  const of = (meter: string) => readings.find((reading) => reading.meter === meter)?.metadata;
  const instance = {
    display_name: 'db & cache — ü',
    name: 'instance-000000ee',
    instance_id: BIG,
    instance_type: 'c16.large',
    // printf 0f8a…b8a2compute-1 | sha224sum
    host: '82985dc58dec05fa4db92fa64b903accfdccfdfbf697f6114c1ddc72',
    instance_host: 'compute-1',
    flavor: {
      id: 'c0ffee00-1111-4222-8333-444455556666',
      name: 'c16.large',
      vcpus: 16,
      ram: 32768,
      disk: 160,
      ephemeral: 0,
      swap: 0,
    },
    status: 'active',
    state: 'running',
    task_state: '',
    image: null,
    image_ref: null,
    image_ref_url: null,
    architecture: 'x86_64',
    os_type: 'hvm',
    user_metadata: {},
    vcpus: 16,
    memory_mb: 32768,
    disk_gb: 160,
    ephemeral_gb: 0,
    root_gb: 160,
  };
  assert.deepEqual(of('memory'), instance);
  assert.deepEqual(of('cpu'), { ...instance, cpu_number: 16 });
  assert.deepEqual(of('disk.device.capacity'), { ...instance, disk_name: 'vda' });
  assert.deepEqual(of('network.incoming.bytes'), {
    ...instance,
    name: 'tap256efb14-ad',
    mac: 'fa:16:3e:a5:91:e7',
    fref: null,
    parameters: {
      interfaceid: '256efb14-ad1c-4f7e-8a70-17f7a1d1f9c0',
      bridge: 'qbr256efb14-ad',
    },
    vnic_name: 'tap256efb14-ad',
  });
});

test('readings of the same device share one metadata object, which is sent once', async () => {
  const { readings } = await pollRecorded(OLD);
  const perResource = new Map<string, Set<unknown>>();
  for (const { resource_id, metadata } of readings) {
    perResource.set(resource_id, (perResource.get(resource_id) ?? new Set()).add(metadata));
  }
  // That of the instance, and with the number of CPUs that of cpu.
  assert.deepEqual([...perResource.values()].map(({ size }) => size), [2, 1, 1, 1, 1, 1]);
});

test("Ceilometer's own cases come out as from Ceilometer", async () => {
  const { readings, context } = await pollRecorded(OLD);
  const volumes = volumesOf(readings);
  const fref0 = 'nova-instance-00000001-fa163e71ec6d';
  for (
    const [key, volume] of [
      // Virtual CPUs 1 and 3 are not plugged in.
      [`cpu ${OLD}`, '40000 ns'],
      [`memory.usage ${OLD}`, '25 MiB'],
      [`memory.resident ${OLD}`, '29.2978515625 MiB'],
      [`memory.swap.in ${OLD}`, '5 MiB'],
      [`memory.swap.out ${OLD}`, '8.0009765625 MiB'],
      [`power.state ${OLD}`, '3 state'],
      [`perf.cpu.cycles ${OLD}`, '7259361 cycle'],
      [`perf.instructions ${OLD}`, '8815623 instruction'],
      [`perf.cache.references ${OLD}`, '74184 count'],
      [`perf.cache.misses ${OLD}`, '16737 count'],
      [`memory.bandwidth.total ${OLD}`, '1892352 B/s'],
      [`memory.bandwidth.local ${OLD}`, '1802240 B/s'],
      [`cpu_l3_cache ${OLD}`, '90112 B'],
      [`network.incoming.bytes ${fref0}`, '1 B'],
      [`network.incoming.packets ${fref0}`, '2 packet'],
      [`network.outgoing.bytes ${fref0}`, '3 B'],
      [`network.outgoing.packets ${fref0}`, '4 packet'],
      [`network.incoming.packets.error ${fref0}`, '21 packet'],
      [`network.incoming.packets.drop ${fref0}`, '22 packet'],
      [`network.outgoing.packets.error ${fref0}`, '23 packet'],
      [`network.outgoing.packets.drop ${fref0}`, '24 packet'],
      [`network.incoming.bytes nova-instance-00000001-fa163e71ec6e`, '5 B'],
      [`network.incoming.bytes instance-00000001-${OLD}-vnet2`, '9 B'],
      [`disk.device.capacity ${OLD}-vda`, '3 B'],
      [`disk.device.allocation ${OLD}-vda`, '2 B'],
      [`disk.device.usage ${OLD}-vda`, '3 B'],
      [`disk.device.write.latency ${OLD}-vda`, '91752302267 ns'],
      // Sums over both disks; the empty drive is none.
      [`disk.read.bytes ${OLD}`, '22 B'],
      [`disk.write.requests ${OLD}`, '43 request'],
      [`disk.capacity ${OLD}`, '83 B'],
      // A counter is kept as it was read, whatever it says.
      [`network.outgoing.bytes instance-00000001-${OLD}-vnet2`, '18446744073709551615 B'],
    ] as const
  ) assert.equal(volumes.get(key), volume, key);
  assert(!readings.some(({ resource_id }) => /foo|hdd/.test(resource_id)));
  assert.equal(readings.find(({ meter }) => meter === 'cpu')?.metadata['status'], 'paused');
  const parameters = readings.find(({ resource_id }) => resource_id === fref0)
    ?.metadata['parameters'];
  assert.deepEqual(parameters, {
    dhcpserver: '10.0.0.1',
    ip: '10.0.0.2',
    projmask: '255.255.255.0',
    projnet: '10.0.0.0',
    interfaceid: null,
    bridge: 'br100',
  });
  assert.deepEqual(context.gaps.map(({ meter, reason }) => `${meter} ${reason}`), [
    'disk.usage service_absent',
    'disk.device.usage service_absent',
    'network.outgoing.packets.drop value_invalid',
  ]);
});

test('a guest without a balloon driver has gaps where others have memory figures', async () => {
  const { readings, context } = await pollRecorded(QEMU);
  const volumes = volumesOf(readings);
  assert.equal(volumes.get(`disk.device.read.bytes ${QEMU}-hdd`), '2048 B');
  assert.equal(volumes.get(`memory.resident ${QEMU}`), '44.5 MiB');
  const missing = context.gaps.filter(({ meter }) => meter.startsWith('memory.'));
  assert.deepEqual(missing.map(({ meter }) => meter), [
    'memory.usage',
    'memory.available',
    'memory.swap.in',
    'memory.swap.out',
    'memory.bandwidth.total',
    'memory.bandwidth.local',
  ]);
  assert.match(missing[0]?.detail ?? '', /'balloon.available': libvirt does not offer it/);
});

test('a domain that is shut off gives its state and its size, and no gap', async () => {
  const { readings, context } = await pollRecorded(OFF);
  assert.deepEqual(readings.map(({ meter, volume }) => `${meter} ${volume}`), [
    'instance 1',
    'vcpus 2',
    'memory 512',
    'disk.root.size 1',
    'disk.ephemeral.size 0',
    'power.state 5',
    'instance:m1.tiny 1',
  ]);
  assert.deepEqual(context.gaps, []);
  assert.equal(readings[0]?.metadata['state'], 'shutdown');
  assert.deepEqual(readings[0]?.metadata['image'], { id: '5cd6d8bc-6a6a-4a36-9a0d-7a6b9a3d6a11' });
});

test('a domain that Nova did not make is reported, taken or skipped, as the deployer says', async () => {
  assert.match(await failureOf(pollRecorded(FOREIGN)), /^parse_error: .*set foreign_domains to/);
  const { readings } = await pollRecorded(FOREIGN, { foreign_domains: 'take' });
  const volumes = volumesOf(readings);
  assert.equal(volumes.get(`cpu ${FOREIGN}`), '77 ns');
  assert.equal(volumes.get(`memory ${FOREIGN}`), '1024 MiB');
  assert(readings.every(({ project_id, user_id }) => project_id === null && user_id === null));
  const collector = collectorOf(recordedVirsh().program, { foreign_domains: 'skip' });
  const units = await discovered(collector, recordingPollContext());
  assert.deepEqual([...units.keys()], [BIG, OLD, QEMU, OFF]);
});

test('only what the source wants is asked of libvirt, read and missed', async () => {
  const virsh = recordedVirsh();
  const collector = collectorOf(virsh.program);
  const context = recordingPollContext({ wants: (meter) => meter === 'memory.usage' });
  const units = await discovered(collector, context);
  const readings = await pollUnit(collector, units.get(BIG), context);
  assert.deepEqual(readings.map(({ meter }) => meter), ['memory.usage']);
  assert.equal(virsh.calls()[1], 'domstats --raw --state --balloon --nowait');
  await discovered(collectorOf(virsh.program, { nowait: false }), recordingPollContext());
  const everything =
    'domstats --raw --state --cpu-total --vcpu --balloon --perf --block --interface';
  assert.equal(virsh.calls().findLast((call) => call.startsWith('domstats')), everything);
});

test('a description is read once, and again when the domain was started anew or its devices changed', async () => {
  const virsh = recordedVirsh();
  const collector = collectorOf(virsh.program);
  const described = async (now: string = '2026-01-31T12:00:01.000000Z') => {
    const before = virsh.calls().length;
    await discovered(collector, recordingPollContext({ now: () => now }));
    return virsh.calls().slice(before).filter((call) => call.startsWith('dumpxml'))
      .map((call) => call.slice('dumpxml '.length)).sort();
  };
  const all = [BIG, OLD, QEMU, OFF, FOREIGN].sort();
  assert.deepEqual(await described(), all);
  assert.deepEqual(await described(), []);
  const list = readFileSync(join(RECORDED, 'list.txt'), 'utf8');
  writeFileSync(join(virsh.files, 'list.txt'), list.replace(' 28 ', ' 29 '));
  assert.deepEqual(await described(), [BIG]);
  const stats = readFileSync(join(RECORDED, 'domstats.txt'), 'utf8');
  writeFileSync(join(virsh.files, 'domstats.txt'), stats.replace('name=vdb', 'name=vdc'));
  assert.deepEqual(await described(), [OLD]);
  assert.deepEqual(await described('2026-01-31T12:10:01.000000Z'), all);
});

test('what is wrong with one domain is a gap of that domain alone', async () => {
  const virsh = recordedVirsh({
    [`${BIG}.xml`]: '<domain><name>half',
    [`${OLD}.xml`]: readFileSync(join(RECORDED, `${OLD}.xml`), 'utf8').replace(
      /<nova:owner>[^]*owner>/,
      '',
    ),
  });
  rmSync(join(virsh.files, `${OFF}.xml`));
  const collector = collectorOf(virsh.program);
  const context = recordingPollContext();
  const units = await discovered(collector, context);
  assert.match(
    await failureOf(pollUnit(collector, units.get(BIG), context)),
    /^parse_error: Cannot read XML, line 1: <name> is not closed/,
  );
  assert.match(
    await failureOf(pollUnit(collector, units.get(OLD), context)),
    /^parse_error: Cannot read Nova's metadata of a domain: <owner\/project> has no 'uuid'/,
  );
  assert.match(
    await failureOf(pollUnit(collector, units.get(OFF), context)),
    /^resource_gone: .*failed to get domain/,
  );
  assert((await pollUnit(collector, units.get(QEMU), context)).length > 20);
});

test('every failure of virsh has its reason', async () => {
  const says = (text: string) => {
    const program = join(mkdtempSync(join(directory, 'fails-')), 'virsh');
    writeFileSync(program, `#!/bin/sh\necho "${text}" >&2\nexit 1\n`);
    chmodSync(program, 0o755);
    return failureOf(discovered(collectorOf(program), recordingPollContext()));
  };
  const connect = 'error: failed to connect to the hypervisor\nerror: ';
  assert.match(
    await says(`${connect}Failed to connect socket to '/run/x': No such file`),
    /^unreachable: .*check that libvirt runs/,
  );
  assert.match(
    await says(`${connect}Failed to connect socket to '/run/x': Permission denied`),
    /^forbidden: /,
  );
  assert.match(await says(`${connect}authentication failed: no agent`), /^unauthorised: /);
  assert.match(
    await says('error: internal error: something'),
    /^command_failed: .*internal error: something$/,
  );
  const missing = discovered(collectorOf('/nowhere/virsh'), recordingPollContext());
  assert.match(
    await failureOf(missing),
    /^command_failed: .*install the Debian package libvirt-clients$/,
  );
  const named = discovered(collectorOf('virsh'), recordingPollContext(), 'x');
  assert.match(await failureOf(named), /^request_refused: .*takes no parameter/);
});

test('parseDomainList and parseDomstats refuse what virsh does not write', () => {
  assert.throws(() => parseDomainList('no uuid here\n'), { code: 'parse_error' });
  assert.throws(() => parseDomstats('  state.state=1\n'), { code: 'parse_error' });
  assert.throws(() => parseDomstats("Domain: 'a'\n<html>\n"), { code: 'parse_error' });
  const [listed] = parseDomainList(`${BIG} - a  'name' of words\n`);
  assert.deepEqual(listed, { uuid: BIG, id: null, name: "a  'name' of words" });
  assert.equal(
    parseDomstats("Domain: 'it's'\n  state.state=1\n\n").get("it's")?.integer('state.state'),
    1n,
  );
  assert.throws(() => parseDomainDescription('<domain/>'), { code: 'parse_error' });
});

test('settings with unknown keys and impossible values are refused', () => {
  for (
    const faulty of [
      { uris: 'qemu:///system' },
      { uri: 'not a uri' },
      { timeout: 0 },
      { foreign_domains: 'maybe' },
      { concurrency: 1.5 },
    ]
  ) assert.equal(libvirtSettingsSchema.safeParse(faulty).success, false, JSON.stringify(faulty));
  assert.equal(libvirtSettingsSchema.parse({}).uri, 'qemu:///system');
});
