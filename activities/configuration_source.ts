import { sha256Hex } from '../ledger/sha256.ts';
import { type Fault, formatFault } from '../meters/definition_fault.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { cutFault } from './fault_text.ts';

/** A configuration file as it is. */
export interface ConfigurationText {
  /** As shown in faults. */
  file: string;
  text: string;
}

/** A configuration that may come into force. */
export interface ConfigurationInForce<Config> {
  readonly config: Config;
  /** Of the file: 64 hexadecimal digits. */
  readonly digest: string;
  readonly warnings: readonly Fault[];
}

export type ParsedConfiguration<Config> =
  | { ok: true; config: Config; warnings: readonly Fault[] }
  | { ok: false; faults: readonly Fault[] };

export interface ConfigurationSourceOptions<Config> {
  /** Something that differs when the file may have changed, as its time and size. Cheap. */
  stamp: () => Promise<string>;
  read: () => Promise<ConfigurationText>;
  parse: (text: string, options: { file: string }) => ParsedConfiguration<Config>;
  /** Faults that {@link parse} does not see. */
  check?: ((config: Config) => readonly Fault[] | Promise<readonly Fault[]>) | undefined;
  nowMs: () => number;
  /** Of the error without any configuration: its code, and what cannot be done. */
  faulty: { code: string; action: string };
}

/** Milliseconds between two looks at the file. */
const LOOK_EVERY_MS = 10_000;
const SHOWN_FAULTS = 3;

/**
 * The newest configuration that is without a fault. The file is looked at every ten seconds at most, and
 * read if it may have changed; while it is faulty, or gone, the former one stays, and {@link fault} says
 * why.
 */
export class ConfigurationSource<Config> {
  readonly #options: ConfigurationSourceOptions<Config>;
  #current: ConfigurationInForce<Config> | null = null;
  #stamp: string | null = null;
  #digest: string | null = null;
  #fault: string | null = null;
  #faults: readonly Fault[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  constructor(options: ConfigurationSourceOptions<Config>) {
    this.#options = options;
  }

  /** Why the newest file is not in force, null if it is. At most some 500 characters. */
  get fault(): string | null {
    return this.#fault;
  }

  /** All faults of the newest file; none if it is in force, or could not be read at all. */
  get faults(): readonly Fault[] {
    return this.#faults;
  }

  /**
   * The configuration to use now. Looks at the file if that was not done lately.
   *
   * @throws {NephoError} the code of `faulty` if there is no former one to keep
   */
  async current(): Promise<ConfigurationInForce<Config>> {
    if (this.#looking === null && this.#options.nowMs() - this.#lookedAtMs >= LOOK_EVERY_MS) {
      this.#lookedAtMs = this.#options.nowMs();
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
      });
    }
    await this.#looking;
    if (this.#current === null) {
      const { code, action } = this.#options.faulty;
      throw new NephoError(code, `Cannot ${action}: ${this.#fault ?? 'none was read'}`, {
        retryable: true,
      });
    }
    return this.#current;
  }

  async #look(): Promise<void> {
    try {
      const stamp = await this.#options.stamp();
      if (stamp === this.#stamp) return;
      const { file, text } = await this.#options.read();
      const digest = sha256Hex(text);
      if (digest !== this.#digest) await this.#take(file, text, digest);
      this.#digest = digest;
      this.#stamp = stamp;
    } catch (error) {
      this.#fault = cutFault(errorMessage(error));
      this.#faults = [];
      // It may come back as it was, and is then no longer at fault.
      this.#stamp = null;
      this.#digest = null;
    }
  }

  async #take(file: string, text: string, digest: string): Promise<void> {
    const parsed = this.#options.parse(text, { file });
    const faults = parsed.ok ? await this.#options.check?.(parsed.config) ?? [] : parsed.faults;
    this.#faults = faults;
    this.#fault = faults.length === 0 ? null : firstFaults(faults);
    if (parsed.ok && faults.length === 0) {
      this.#current = { config: parsed.config, digest, warnings: parsed.warnings };
    }
  }
}

function firstFaults(faults: readonly Fault[]): string {
  const shown = faults.slice(0, SHOWN_FAULTS).map(formatFault).join(' ');
  const more = faults.length - SHOWN_FAULTS;
  return more > 0 ? `${cutFault(shown)} (and ${more} more)` : cutFault(shown);
}
