import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free_port.ts';

const START_TIMEOUT_MS = 10_000;

export function snmpdSkipReason(): string | false {
  if (!existsSync('/usr/sbin/snmpd')) return 'no snmpd: install the package snmpd';
  return existsSync('/usr/bin/snmpget') ? false : 'no snmpget: install the package snmp';
}

/** A user of SNMPv3. */
export interface SnmpUser {
  name: string;
  authProtocol: string;
  authKey: string;
  privacyProtocol: string;
  privacyKey: string;
}

/** An snmpd of our own on a port of the loopback, with nothing of the host's configuration. */
export interface SnmpAgent {
  readonly port: number;
  /** What net-snmp's own client reads by the community: numbers and texts as they are. */
  snmpget(oid: string): string;
  stop(): Promise<void>;
}

export async function startSnmpd(
  { community, users, restricted }: {
    community: string;
    users: readonly SnmpUser[];
    /** A community that sees only the host's name and the like. */
    restricted: string;
  },
): Promise<SnmpAgent> {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-snmpd-'));
  // Found free for TCP: of UDP the kernel would say so only to the server.
  const port = await freePort();
  const configuration = join(directory, 'snmpd.conf');
  const lines = [
    `agentaddress udp:127.0.0.1:${port}`,
    `rocommunity ${community} 127.0.0.1`,
    `rocommunity ${restricted} 127.0.0.1 .1.3.6.1.2.1.1`,
    ...users.flatMap((user) => [
      `createUser ${user.name} ${user.authProtocol} "${user.authKey}" ${user.privacyProtocol} "${user.privacyKey}"`,
      `rouser ${user.name} priv`,
    ]),
    'disk / 1%',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`, { mode: 0o600 });
  const args = ['-f', '-Lf', join(directory, 'log'), '-C', '-c', configuration, '-I', '-smux'];
  const env = {
    PATH: process.env['PATH'],
    LC_ALL: 'C',
    HOME: directory,
    MIBS: '',
    SNMP_PERSISTENT_DIR: join(directory, 'var'),
  };
  const server = spawn('/usr/sbin/snmpd', args, { env, cwd: directory, stdio: 'ignore' });
  const killNow = (): void => {
    server.kill('SIGKILL');
  };
  process.once('exit', killNow);
  const snmpget = (oid: string): string => {
    const options = ['-v2c', '-c', community, '-Oqv', '-OU', '-Oe', '-t', '1', '-r', '0'];
    const asked = [...options, `127.0.0.1:${port}`, oid];
    return execFileSync('/usr/bin/snmpget', asked, { env, encoding: 'utf8', stdio: 'pipe' })
      .trim().replace(/^"(.*)"$/, '$1');
  };
  const stop = async (): Promise<void> => {
    await end(server);
    process.off('exit', killNow);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilItAnswers(server, snmpget);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    snmpget,
    stop,
  };
}

async function untilItAnswers(
  server: ChildProcess,
  snmpget: (oid: string) => string,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      snmpget('.1.3.6.1.2.1.1.3.0');
      return;
    } catch {
      if (Date.now() > deadline || server.exitCode !== null) throw new Error('snmpd did not start');
      await delay(50);
    }
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
}
