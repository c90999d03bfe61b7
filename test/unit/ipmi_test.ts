import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createIpmiCollector } from '../../collectors/ipmi/collector.ts';
import { parsePowerReading, parseSensorList } from '../../collectors/ipmi/sensor_list.ts';
import { ipmiSettingsSchema } from '../../collectors/ipmi/settings_schema.ts';
import type { PollContext } from '../../collectors/polling/pollster.ts';
import { isNephoError } from '../../meters/errors.ts';
import {
  discovered,
  pollUnit,
  recordingPollContext,
  volumesOf,
} from '../support/recording_poll_context.ts';

const RECORDED = fileURLToPath(new URL('../fixtures/polling/ipmi', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'nepho-ipmi-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** An ipmitool that says what was recorded, or what a test wants, and writes down how it was called. */
function recordedTool({ sdr, dcmi = 'exit 1', status = 0 }: {
  sdr: string;
  dcmi?: string;
  status?: number;
}): { program: string; calls(): string } {
  const program = join(mkdtempSync(join(directory, 'tool-')), 'ipmitool');
  const lines = [
    '#!/bin/sh',
    `echo "$* [$IPMI_PASSWORD]" >> ${program}.calls`,
    'case "$*" in',
    `*' sdr') ${sdr}; exit ${status} ;;`,
    `*' dcmi power reading') ${dcmi} ;;`,
    'esac',
  ];
  writeFileSync(program, `${lines.join('\n')}\n`);
  chmodSync(program, 0o755);
  return { program, calls: () => readFileSync(`${program}.calls`, 'utf8') };
}

const recorded = (name: string): string => `cat ${join(RECORDED, name)}`;
const NO_DCMI = 'echo "DCMI request failed because: Invalid command (c1)" >&2; exit 1';
const TARGET = {
  host: '192.0.2.9',
  resource_id: 'node-1',
  user: 'nepho',
  password_env: 'PASSWORD',
};

async function poll(
  program: string,
  { settings = {}, unit = 'node-1', changes = {} }: {
    settings?: Record<string, unknown>;
    unit?: string;
    changes?: Partial<PollContext>;
  } = {},
) {
  const collector = createIpmiCollector(
    ipmiSettingsSchema.parse({ ipmitool: program, targets: [TARGET], ...settings }),
    { secret: () => Promise.resolve('open sesame'), hostname: 'here' },
  );
  const context = recordingPollContext(changes);
  const units = await discovered(collector, context);
  const readings = await pollUnit(collector, units.get(unit), context);
  return { readings, context, volumes: volumesOf(readings) };
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => null, (caught: unknown) => caught);
  assert(isNephoError(error), String(error));
  assert(!error.message.includes('sesame'));
  return `${error.code}: ${error.message}`;
}

test("the board of Ceilometer's tests gives what Ceilometer makes of it", async () => {
  const { volumes, context, readings } = await poll(
    recordedTool({ sdr: recorded('intel_sdr.txt'), dcmi: NO_DCMI }).program,
  );
  assert.deepEqual([...volumes], [
    ['hardware.ipmi.temperature node-1-bb_p1_vr_temp_(0x20)', '25 C'],
    ['hardware.ipmi.temperature node-1-front_panel_temp_(0x21)', '23 C'],
    ['hardware.ipmi.temperature node-1-ssb_temp_(0x22)', '43 C'],
    ['hardware.ipmi.voltage node-1-bb_+12.0v_(0xd0)', '11.831 V'],
    ['hardware.ipmi.voltage node-1-bb_+5.0v_(0xd1)', '4.959 V'],
    ['hardware.ipmi.current node-1-ps1_curr_out_%_(0x58)', '11 unspecified'],
    ['hardware.ipmi.current node-1-ps2_curr_out_%_(0x59)', '0 unspecified'],
    ['hardware.ipmi.fan node-1-system_fan_1_(0x30)', '4704 RPM'],
    ['hardware.ipmi.fan node-1-system_fan_2_(0x32)', '4704 RPM'],
    ['hardware.ipmi.fan node-1-system_fan_3_(0x34)', '4704 RPM'],
    ['hardware.ipmi.fan node-1-system_fan_4_(0x36)', '4606 RPM'],
  ]);
  // A sensor that is disabled has nothing to say, and is no gap.
  assert.deepEqual(context.gaps.map(({ unit, meter, reason }) => `${unit} ${meter} ${reason}`), [
    'node-1 hardware.ipmi.node.power service_absent',
  ]);
  assert.deepEqual(readings[0]?.metadata, {
    node: 'node-1',
    sensor: 'BB P1 VR Temp (0x20)',
    entity: '7.1 (System Board)',
    status: 'ok',
  });
  assert(readings.every(({ type, project_id }) => type === 'gauge' && project_id === null));
});

test('another board: power by its unit, equal names apart, a sensor without a reading missing', async () => {
  const { volumes, context, readings } = await poll(
    recordedTool({ sdr: recorded('dell_sdr.txt'), dcmi: recorded('dcmi_power.txt') }).program,
  );
  assert.deepEqual([...volumes], [
    ['hardware.ipmi.temperature node-1-temp_(0x1)_3.1_(processor)', '-3 C'],
    ['hardware.ipmi.fan node-1-fan1_rpm_(0x30)', '3480 RPM'],
    ['hardware.ipmi.fan node-1-fan_1_dutycycle_(0x31)', '19.6 %'],
    ['hardware.ipmi.current node-1-current_1_(0x6a)', '0.4 A'],
    ['hardware.ipmi.power node-1-pwr_consumption_(0x77)', '140 W'],
    ['hardware.ipmi.node.power node-1', '228 W'],
  ]);
  assert.deepEqual(context.gaps, [{
    unit: 'node-1',
    meter: 'hardware.ipmi.temperature',
    reason: 'service_absent',
    detail: "Cannot read sensor 'Temp (0x1)': it gives 'No Reading'",
  }]);
  const power = readings.find(({ meter }) => meter === 'hardware.ipmi.power');
  assert.equal(power?.metadata['status'], 'Upper Critical');
});

test('the password is never an argument, and the own host needs none', async () => {
  const tool = recordedTool({ sdr: recorded('dell_sdr.txt'), dcmi: NO_DCMI });
  const settings = { targets: [{ ...TARGET, cipher_suite: 17 }], local: true, device: 1 };
  await poll(tool.program, { settings });
  await poll(tool.program, { settings, unit: 'here' });
  const remote = '-v -Ilanplus -H192.0.2.9 -p623 -Unepho -E -LUSER -N2 -R3 -C17';
  assert.deepEqual(tool.calls().trim().split('\n'), [
    `${remote} sdr [open sesame]`,
    `${remote} dcmi power reading [open sesame]`,
    '-v -Iopen -d1 sdr []',
    '-v -Iopen -d1 dcmi power reading []',
  ]);
});

test('only what the source wants is asked', async () => {
  const tool = recordedTool({ sdr: recorded('dell_sdr.txt'), dcmi: recorded('dcmi_power.txt') });
  const wants = (wanted: string) => ({ changes: { wants: (meter: string) => meter === wanted } });
  const fans = await poll(tool.program, wants('hardware.ipmi.fan'));
  assert.deepEqual(fans.readings.map(({ meter }) => meter), [
    'hardware.ipmi.fan',
    'hardware.ipmi.fan',
  ]);
  assert.deepEqual(fans.context.gaps, []);
  const power = await poll(tool.program, wants('hardware.ipmi.node.power'));
  assert.deepEqual(power.readings.map(({ volume }) => volume), ['228']);
  assert.equal(tool.calls().trim().split('\n').length, 2);
});

test('a list that ended early is kept and said to be not whole', async () => {
  const { readings, context } = await poll(
    recordedTool({ sdr: recorded('dell_sdr.txt'), status: 1, dcmi: recorded('dcmi_power.txt') })
      .program,
  );
  assert(readings.length > 5);
  const gaps = context.gaps.filter(({ reason }) => reason === 'command_failed');
  assert.equal(gaps.length, 5);
});

test('every failure of ipmitool has its reason', async () => {
  const says = (text: string) => {
    const sdr = text.split('\n').map((line) => `echo "${line}" >&2`).join('; ');
    return failureOf(poll(recordedTool({ sdr, status: 1 }).program));
  };
  const no = 'Error: Unable to establish IPMI v2 / RMCP+ session';
  assert.match(await says(`> RAKP 2 HMAC is invalid\n${no}`), /^unauthorised: /);
  assert.match(
    await says(`RAKP 2 message indicates an error : unauthorized name\n${no}`),
    /^unauthorised: /,
  );
  assert.match(
    await says('Activate Session command failed\nError: Unable to establish LAN session'),
    /^unauthorised: /,
  );
  assert.match(
    await says(`Error in open session response message : invalid authentication algorithm\n${no}`),
    /^request_refused: .*cipher_suite$/,
  );
  assert.match(await says(`Get Auth Capabilities error\n${no}`), /^timeout: .*does not answer$/);
  assert.match(await says(`Address lookup for x failed\n${no}`), /^unreachable: /);
  assert.match(
    await says('Could not open device at /dev/ipmi0 or /dev/ipmi/0: No such file'),
    /^unreachable: .*ipmi_si/,
  );
  assert.match(await says('Something else'), /^command_failed: .*Something else$/);
  assert.match(
    await failureOf(poll('/nowhere/ipmitool')),
    /^command_failed: .*install the Debian package ipmitool$/,
  );
});

test('a BMC that refuses the password is left alone for a while, lest it locks the user', async () => {
  const sdr = 'echo "> RAKP 2 HMAC is invalid" >&2';
  const tool = recordedTool({ sdr, status: 1 });
  const collector = createIpmiCollector(
    ipmiSettingsSchema.parse({ ipmitool: tool.program, targets: [TARGET] }),
    { secret: () => Promise.resolve('open sesame'), hostname: 'here' },
  );
  const units = await discovered(collector, recordingPollContext());
  const pollAt = (now: string) =>
    failureOf(pollUnit(collector, units.get('node-1'), recordingPollContext({ now: () => now })));
  assert.match(await pollAt('2026-01-31T12:00:00.000000Z'), /^unauthorised: /);
  assert.match(await pollAt('2026-01-31T12:14:59.000000Z'), /^unauthorised: /);
  assert.equal(tool.calls().trim().split('\n').length, 1);
  assert.match(await pollAt('2026-01-31T12:15:00.000000Z'), /^unauthorised: /);
  assert.equal(tool.calls().trim().split('\n').length, 2);
});

test('parsePowerReading and parseSensorList take what is there, and no more', () => {
  const power = readFileSync(join(RECORDED, 'dcmi_power.txt'), 'utf8');
  assert.equal(parsePowerReading(power), '228');
  assert.equal(parsePowerReading(power.replace('activated', 'deactivated')), null);
  assert.throws(() => parsePowerReading('<html>'), { code: 'parse_error' });
  assert.deepEqual(parseSensorList(''), []);
  assert.deepEqual(parseSensorList('Sensor ID : x\nSensor ID :\n'), []);
  const many = 'Sensor ID : x (0x1)\n Sensor Type (Threshold) : Fan\n'.repeat(2_001);
  assert.throws(() => parseSensorList(many), { code: 'too_large' });
});

test('settings name passwords by reference, and the worker host is read if nothing else is', async () => {
  const isValid = (settings: unknown) => ipmiSettingsSchema.safeParse(settings).success;
  assert(isValid({ targets: [TARGET] }));
  assert(!isValid({ targets: [{ ...TARGET, password: 'x' }] }));
  assert(!isValid({ targets: [{ ...TARGET, password_env: undefined }] }));
  assert(!isValid({ targets: [{ ...TARGET, password_file: '/x' }] }));
  assert(!isValid({ targets: [{ ...TARGET, host: '-x' }] }));
  assert(!isValid({ targets: [TARGET, TARGET] }));
  assert(!isValid({ retries: 0 }));
  const nodes = async (settings: unknown) => {
    const collector = createIpmiCollector(ipmiSettingsSchema.parse(settings), {
      secret: () => Promise.reject(new Error()),
      hostname: 'here',
    });
    return [...(await discovered(collector, recordingPollContext())).keys()];
  };
  assert.deepEqual(await nodes({}), ['here']);
  assert.deepEqual(await nodes({ host: 'compute-1' }), ['compute-1']);
  assert.deepEqual(await nodes({ targets: [TARGET] }), ['node-1']);
  assert.deepEqual(await nodes({ targets: [TARGET], local: true }), ['here', 'node-1']);
});
