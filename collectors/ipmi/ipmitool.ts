import { NephoError } from '../../meters/errors.ts';
import type { GapReason } from '../../meters/poll_gap.ts';
import {
  commandFailed,
  type CommandRequest,
  type CommandResult,
  runToEnd,
} from '../command/run_command.ts';
import type { ReadSecret } from '../secret_reference.ts';
import type { IpmiSettings, IpmiTarget } from './settings_schema.ts';

/** Bytes of one answer: a thousand sensors have one million. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/** What ipmitool says when it fails, in the words of coverage. Its status is 1 whatever happened. */
const REASONS: readonly [RegExp, GapReason, string][] = [
  [
    /RAKP \d (?:HMAC is invalid|message has invalid)|unauthorized name|invalid user name|Activate Session (?:command failed|error)|invalid role|no matching (?:authentication|cipher)|incorrect password/i,
    'unauthorised',
    'it refuses the user or the password',
  ],
  [
    /request failed because: insufficient privilege|insufficient resources for session at requested role|exceeds (?:channel|user) (?:privilege|limit)/i,
    'forbidden',
    "the user's privilege does not suffice",
  ],
  [
    /invalid authentication algorithm|Get Channel Cipher Suites.*error|no supported cipher/i,
    'request_refused',
    'it does not know the cipher suite: set another cipher_suite',
  ],
  [
    /Address lookup for .* failed|Could not open (?:socket|device)/i,
    'unreachable',
    'check its name, or of the own host the modules ipmi_si and ipmi_devintf and the right to open /dev/ipmi0',
  ],
  [
    /Unable to establish|Get Auth Capabilities error|session timeout|Close Session/i,
    'timeout',
    'it does not answer',
  ],
];

/** A BMC: that of this host if there is no target. */
export interface Bmc {
  name: string;
  target: IpmiTarget | null;
}

/** Calls of `ipmitool` to one BMC. The password goes by the environment, which only root and the worker can see. */
export class Ipmitool {
  readonly #settings: IpmiSettings;
  readonly #secret: ReadSecret;

  constructor(settings: IpmiSettings, secret: ReadSecret) {
    this.#settings = settings;
    this.#secret = secret;
  }

  /**
   * All sensors in ipmitool's words. Some versions end with status 1 when one sensor of many cannot be read:
   * then what is there is handed back as not whole.
   *
   * @throws {NephoError} a reason of a gap
   */
  async sensors(bmc: Bmc, signal: AbortSignal): Promise<{ text: string; isWhole: boolean }> {
    const { request, result } = await this.#run(bmc, ['sdr'], signal);
    if (result.status === 0) return { text: result.stdout, isWhole: true };
    if (/^Sensor ID/m.test(result.stdout)) return { text: result.stdout, isWhole: false };
    throw failure(bmc, request, result);
  }

  /**
   * The answer of a BMC that measures its power.
   *
   * @throws {NephoError} `service_absent` if it does not, else a reason of a gap
   */
  async powerReading(bmc: Bmc, signal: AbortSignal): Promise<string> {
    const { request, result } = await this.#run(bmc, ['dcmi', 'power', 'reading'], signal);
    if (result.status === 0) return result.stdout;
    if (/invalid (?:command|data field)|not supported|DCMI not supported/i.test(result.stderr)) {
      throw new NephoError(
        'service_absent',
        `Cannot read the power of the BMC of '${bmc.name}': it does not offer DCMI`,
      );
    }
    throw failure(bmc, request, result);
  }

  async #run(
    bmc: Bmc,
    command: readonly string[],
    signal: AbortSignal,
  ): Promise<{ request: CommandRequest; result: CommandResult }> {
    const { ipmitool, timeout } = this.#settings;
    const { target } = bmc;
    const request: CommandRequest = {
      program: ipmitool,
      // Only verbosely does it say why no session came about.
      args: ['-v', ...this.#access(target), ...command],
      debianPackage: 'ipmitool',
      timeoutMs: timeout * 1_000,
      maxBytes: MAX_OUTPUT_BYTES,
      signal,
      ...(target === null ? {} : { secrets: { IPMI_PASSWORD: await this.#password(target) } }),
    };
    return { request, result: await runToEnd(request) };
  }

  #access(target: IpmiTarget | null): string[] {
    const { device, retry_interval: interval, retries } = this.#settings;
    if (target === null) return ['-Iopen', `-d${device}`];
    return [
      `-I${target.interface}`,
      `-H${target.host}`,
      `-p${target.port}`,
      `-U${target.user}`,
      '-E',
      `-L${target.privilege.toUpperCase()}`,
      `-N${interval}`,
      `-R${retries}`,
      ...(target.cipher_suite === undefined || target.interface === 'lan'
        ? []
        : [`-C${target.cipher_suite}`]),
    ];
  }

  async #password(target: IpmiTarget): Promise<string> {
    const { password_env: env, password_file: file } = target;
    return await this.#secret(env === undefined ? { file: file ?? '' } : { env });
  }
}

function failure(bmc: Bmc, request: CommandRequest, result: CommandResult): NephoError {
  for (const [pattern, reason, remedy] of REASONS) {
    if (!pattern.test(result.stderr)) continue;
    return new NephoError(reason, `Cannot ask the BMC of '${bmc.name}': ${remedy}`, {
      retryable: reason === 'timeout' || reason === 'unreachable',
      context: { node: bmc.name },
    });
  }
  return commandFailed(request, result);
}
