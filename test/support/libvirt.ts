import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const LIBVIRTD = '/usr/sbin/libvirtd';
const EMULATOR = '/usr/bin/qemu-system-x86_64';
const START_TIMEOUT_MS = 10_000;
/** As root libvirtd would be the host's own; as this user it is nobody's. */
const NOBODY = 65_534;

export function virshSkipReason(): string | false {
  return existsSync('/usr/bin/virsh') ? false : 'no virsh: install the package libvirt-clients';
}

export function libvirtSkipReason(): string | false {
  if (virshSkipReason() !== false) return virshSkipReason();
  if (!existsSync(LIBVIRTD)) {
    return 'no libvirtd: install the packages libvirt-daemon and libvirt-daemon-driver-qemu';
  }
  return existsSync(EMULATOR) ? false : 'no QEMU: install the package qemu-system-x86';
}

/** A libvirt of our own with QEMU, in a directory of its own and without privileges. */
export interface LibvirtServer {
  readonly uri: string;
  /** Where guests may keep their disks. */
  readonly directory: string;
  /** Runs virsh with the right to change. */
  virsh(...args: string[]): string;
  /** Ends libvirtd alone, as an operator who restarts it. */
  shutDown(): Promise<void>;
  stop(): Promise<void>;
}

export async function startLibvirt(): Promise<LibvirtServer> {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-lv-'));
  const [home, run] = [join(directory, 'home'), join(directory, 'run')];
  const config = join(home, '.config/libvirt');
  mkdirSync(config, { recursive: true });
  mkdirSync(run, { mode: 0o700 });
  // Else it would start a daemon for logs, and leave it.
  writeFileSync(join(config, 'qemu.conf'), 'stdio_handler = "file"\nsecurity_driver = "none"\n');
  const isRoot = process.getuid?.() === 0;
  if (isRoot) giveTo(directory, NOBODY);
  const [program = '', ...args] = isRoot
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', LIBVIRTD]
    : [LIBVIRTD];
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', HOME: home, XDG_RUNTIME_DIR: run };
  const server = spawn(program, args, { env, cwd: home, stdio: 'ignore' });
  const killNow = (): void => {
    endGuests(run);
    server.kill('SIGKILL');
  };
  process.once('exit', killNow);
  const socket = join(run, 'libvirt/libvirt-sock');
  const uri = `qemu:///session?socket=${socket}`;
  const virsh = (...args: string[]): string =>
    execFileSync('virsh', ['-c', uri, ...args], { env, encoding: 'utf8', stdio: 'pipe' });
  const stop = async (): Promise<void> => {
    endGuests(run);
    await end(server);
    process.off('exit', killNow);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilItAnswers(server, socket, virsh);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    uri,
    directory: home,
    virsh,
    shutDown: () => end(server),
    stop,
  };
}

async function untilItAnswers(
  server: ChildProcess,
  socket: string,
  virsh: (...args: string[]) => string,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      // Without a socket virsh would start a libvirtd itself.
      if (existsSync(socket)) {
        virsh('list');
        return;
      }
    } catch {
      // Not yet.
    }
    if (Date.now() > deadline || server.exitCode !== null) throw new Error('no libvirtd started');
    await delay(50);
  }
}

function giveTo(directory: string, user: number): void {
  for (const name of ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })]) {
    chownSync(join(directory, name), user, user);
  }
}

/** Guests outlive libvirtd, by its design. */
function endGuests(run: string): void {
  const guests = join(run, 'libvirt/qemu/run');
  if (!existsSync(guests)) return;
  for (const name of readdirSync(guests)) {
    if (!name.endsWith('.pid') || name === 'driver.pid') continue;
    spawnSync('kill', ['-KILL', readFileSync(join(guests, name), 'utf8').trim()]);
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
}

/** A guest of Nova's without a system: its firmware looks for one, which reads a little from its disks. */
export function guestXml(
  { name, uuid, disk }: { name: string; uuid: string; disk: string },
): string {
  return `<domain type='qemu'>
  <name>${name}</name>
  <uuid>${uuid}</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:name>web &amp; more</nova:name>
      <nova:flavor name="m1.nano"><nova:memory>64</nova:memory><nova:disk>1</nova:disk>
        <nova:swap>0</nova:swap><nova:ephemeral>0</nova:ephemeral><nova:vcpus>2</nova:vcpus>
      </nova:flavor>
      <nova:owner><nova:user uuid="user-1">admin</nova:user><nova:project uuid="project-1">demo</nova:project></nova:owner>
      <nova:root type="image" uuid="image-1"/>
    </nova:instance>
  </metadata>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <devices>
    <emulator>${EMULATOR}</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <interface type='user'><mac address='fa:16:3e:a5:91:e7'/><model type='virtio'/></interface>
    <memballoon model='virtio'><stats period='10'/></memballoon>
  </devices>
</domain>
`;
}
