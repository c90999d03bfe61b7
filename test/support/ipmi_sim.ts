import { Buffer } from 'node:buffer';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free_port.ts';

const START_TIMEOUT_MS = 10_000;

export function ipmiSkipReason(): string | false {
  if (!existsSync('/usr/bin/ipmi_sim')) return 'no ipmi_sim: install the package openipmi';
  return existsSync('/usr/bin/ipmitool') ? false : 'no ipmitool: install the package ipmitool';
}

/** A sensor with thresholds. Its value is `raw * factor * 10 ** exponent`. */
export interface SimulatedSensor {
  name: string;
  /** Of IPMI: 1 temperature, 2 voltage, 3 current, 4 fan, 8 power supply. */
  type: number;
  /** Of IPMI: 1 degrees C, 4 volts, 5 amperes, 6 watts, 18 RPM. */
  unit: number;
  /** 0 to 255; null for a sensor that is not scanned. */
  raw: number | null;
  factor: number;
  exponent: number;
}

/** A BMC of our own on a port of the loopback, with one user. */
export interface IpmiSimulator {
  readonly port: number;
  /** What `ipmitool sdr` prints, one line a sensor. */
  sdr(): string;
  stop(): Promise<void>;
}

export async function startIpmiSimulator(
  { user, password, sensors }: {
    user: string;
    password: string;
    sensors: readonly SimulatedSensor[];
  },
): Promise<IpmiSimulator> {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-ipmi-sim-'));
  const port = await freePort();
  const state = join(directory, 'state');
  mkdirSync(state);
  const auths = 'none md2 md5 straight';
  const network = [
    'name "nepho"',
    'set_working_mc 0x20',
    '  startlan 1',
    `    addr 127.0.0.1 ${port}`,
    '    priv_limit admin',
    ...['callback', 'user', 'operator', 'admin'].map((name) =>
      `    allowed_auths_${name} ${auths}`
    ),
    '    guid a123456789abcdefa123456789abcdef',
    '  endlan',
    `  user 1 false "" "none" user 10 ${auths}`,
    `  user 2 true "${user}" "${password}" admin 10 ${auths}`,
  ];
  const board = [
    'mc_setbmc 0x20',
    'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr',
    'sel_enable 0x20 1000 0x0a',
    // Number 0 is that of the watchdog.
    'sensor_add 0x20 0 0 35 0x6f event-only',
    ...sensors.flatMap((sensor, index) => sensorCommands(sensor, index + 1)),
    'mc_enable 0x20',
  ];
  const [lan, emulation] = [join(directory, 'lan.conf'), join(directory, 'board.emu')];
  writeFileSync(lan, `${network.join('\n')}\n`, { mode: 0o600 });
  writeFileSync(emulation, `${board.join('\n')}\n`);
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  const server = spawn('/usr/bin/ipmi_sim', ['-n', '-c', lan, '-f', emulation, '-s', state], {
    env,
    cwd: directory,
    stdio: 'ignore',
  });
  const killNow = (): void => {
    server.kill('SIGKILL');
  };
  process.once('exit', killNow);
  const sdr = (): string => {
    const access = [
      '-Ilanplus',
      '-H127.0.0.1',
      `-p${port}`,
      `-U${user}`,
      '-E',
      '-C3',
      '-N1',
      '-R1',
    ];
    const answer = spawnSync('/usr/bin/ipmitool', [...access, 'sdr'], {
      env: { ...env, IPMI_PASSWORD: password },
      encoding: 'utf8',
    });
    return answer.status === 0 ? answer.stdout : '';
  };
  const stop = async (): Promise<void> => {
    await end(server);
    process.off('exit', killNow);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilItAnswers(server, sdr, sensors.length);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    sdr,
    stop,
  };
}

function sensorCommands(sensor: SimulatedSensor, number: number): string[] {
  const record = fullSensorRecord(sensor, number)
    .map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
  const add = [`sensor_add 0x20 0 ${number} ${sensor.type} 1`, `main_sdr_add 0x20 ${record}`];
  if (sensor.raw === null) return add;
  const none = '0'.repeat(15);
  return [
    ...add,
    `sensor_set_value 0x20 0 ${number} ${sensor.raw} 0`,
    `sensor_set_event_support 0x20 0 ${number} enable scanning per-state ${none} ${none} ${none} ${none}`,
  ];
}

/** IPMI 2.0, table 43-1. */
function fullSensorRecord(sensor: SimulatedSensor, number: number): number[] {
  const { name, type, unit, factor, exponent } = sensor;
  const masks = [0xc0, 0x0f, 0xc0, 0x7f, 0x38, 0x38];
  const conversion = [factor & 0xff, (factor >> 8) << 6, 0, 0, 0, (exponent & 0x0f) << 4];
  const limits = [0, 0, 0, 0, 0xff, 0, 0xff, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
  const text = [...Buffer.from(name, 'ascii')];
  const head = [0x20, 0, number, 7, 1, 0x67, 0x88, type, 1];
  const units = [0, unit, 0, 0];
  const id = [0xc0 | text.length, ...text];
  const body = [...head, ...masks, ...units, ...conversion, ...limits, ...id];
  return [0, 0, 0x51, 1, body.length, ...body];
}

async function untilItAnswers(
  server: ChildProcess,
  sdr: () => string,
  sensors: number,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (sdr().trim().split('\n').length < sensors) {
    if (Date.now() > deadline || server.exitCode !== null) {
      throw new Error('ipmi_sim did not start');
    }
    await delay(50);
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
}
