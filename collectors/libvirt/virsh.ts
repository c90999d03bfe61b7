import { NephoError } from '../../meters/errors.ts';
import type { GapReason } from '../../meters/poll_gap.ts';
import { commandFailed, type CommandRequest, lastWords, runToEnd } from '../command/run_command.ts';
import type { StatsGroup } from './domain_meters.ts';
import type { LibvirtSettings } from './settings_schema.ts';

/** Bytes of one answer: 2,000 domains with 16 virtual CPUs and all of KVM's counters have 30 MB. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const MAX_DESCRIPTION_BYTES = 4 * 1024 * 1024;

/** What virsh says when it fails, in the words of coverage. */
const REASONS: readonly [RegExp, GapReason, string][] = [
  [/failed to get domain|Domain not found/i, 'resource_gone', 'the domain is gone'],
  [/authentication (?:failed|unavailable|cancelled)/i, 'unauthorised', 'check its authentication'],
  [/permission denied|access denied/i, 'forbidden', 'let the worker read its read-only socket'],
  [
    /failed to connect|unable to connect|cannot (?:recv|read|write) data|connection (?:refused|reset)|client socket is closed|end of file/i,
    'unreachable',
    'check that libvirt runs and that the URI is right',
  ],
];

/** Calls of `virsh`, read-only. */
export class Virsh {
  readonly #settings: LibvirtSettings;

  constructor(settings: LibvirtSettings) {
    this.#settings = settings;
  }

  /** @throws {NephoError} a reason of a gap */
  async list(signal: AbortSignal): Promise<string> {
    return await this.#run(['list', '--all', '--uuid', '--id', '--name'], signal);
  }

  /** @throws {NephoError} a reason of a gap */
  async domstats(groups: ReadonlySet<StatsGroup>, signal: AbortSignal): Promise<string> {
    const options = ['state', ...groups].map((group) => `--${group}`);
    if (this.#settings.nowait) options.push('--nowait');
    return await this.#run(['domstats', '--raw', ...options], signal);
  }

  /** @throws {NephoError} a reason of a gap */
  async dumpxml(uuid: string, signal: AbortSignal): Promise<string> {
    return await this.#run(['dumpxml', uuid], signal, MAX_DESCRIPTION_BYTES);
  }

  async #run(
    command: readonly string[],
    signal: AbortSignal,
    maxBytes: number = MAX_OUTPUT_BYTES,
  ): Promise<string> {
    const { uri, virsh, timeout } = this.#settings;
    const request: CommandRequest = {
      program: virsh,
      args: ['--connect', uri, '--readonly', ...command],
      debianPackage: 'libvirt-clients',
      timeoutMs: timeout * 1_000,
      maxBytes,
      signal,
    };
    const result = await runToEnd(request);
    if (result.status === 0) return result.stdout;
    for (const [pattern, reason, remedy] of REASONS) {
      if (!pattern.test(result.stderr)) continue;
      throw new NephoError(
        reason,
        `Cannot ask libvirt at '${uri}' (${command[0]}): ${
          lastWords(request, result.stderr)
        }: ${remedy}`,
        { retryable: reason === 'unreachable', context: { uri, command: command[0] ?? null } },
      );
    }
    throw commandFailed(request, result);
  }
}
