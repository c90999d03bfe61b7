import type { Pool } from 'pg';
import { enterDefinitionSet } from '../db/enter_definition_set.ts';
import { definitionsDigest } from '../ledger/identity.ts';
import { compileDefinitions } from '../meters/definition_compile.ts';
import type { DefinitionFile, DefinitionSet, Fault } from '../meters/definition_compile.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { cutFault } from './fault_text.ts';

/** A definition set that may come into force. */
export interface DefinitionsInForce {
  set: DefinitionSet;
  /** 64 hexadecimal digits. */
  digest: string;
  /** The set's number in `definition_sets`. */
  definitionSetId: number;
}

/** Milliseconds between two looks at the files. */
const LOOK_EVERY_MS = 2_000;

/**
 * The newest definitions that are without a fault. The files are looked at again every two seconds;
 * while they have faults the former set stays, and {@link fault} says why.
 */
export class DefinitionSource {
  readonly #pool: Pool;
  readonly #read: () => Promise<readonly DefinitionFile[]>;
  readonly #nowMs: () => number;
  #current: DefinitionsInForce | null = null;
  #seen = '';
  #fault: string | null = null;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  constructor(options: {
    pool: Pool;
    /** Reads the shipped and the operator's files, in the order of their precedence. */
    read: () => Promise<readonly DefinitionFile[]>;
    nowMs: () => number;
  }) {
    this.#pool = options.pool;
    this.#read = options.read;
    this.#nowMs = options.nowMs;
  }

  /** Why the newest files are not in force, null if they are. */
  get fault(): string | null {
    return this.#fault;
  }

  /**
   * The set to use now. Looks at the files if that was not done lately, and waits for it only the first
   * time.
   *
   * @throws {NephoError} `definitions_faulty` if there is no former set to keep
   */
  async current(): Promise<DefinitionsInForce> {
    if (this.#looking === null && this.#nowMs() - this.#lookedAtMs >= LOOK_EVERY_MS) {
      this.#lookedAtMs = this.#nowMs();
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
      });
      // Waited for below, or by nobody: a later look tells the same fault again.
      this.#looking.catch(() => {});
    }
    if (this.#current === null) await this.#looking;
    if (this.#current === null) {
      throw new NephoError(
        'definitions_faulty',
        `Cannot begin without definitions: ${this.#fault ?? 'none were read'}`,
        { retryable: true },
      );
    }
    return this.#current;
  }

  async #look(): Promise<void> {
    try {
      const files = await this.#read();
      const digest = definitionsDigest(files);
      if (digest === this.#seen) return;
      const compiled = compileDefinitions(files);
      if (compiled.ok) {
        const definitionSetId = await enterDefinitionSet(this.#pool, { digest, files });
        this.#current = { set: compiled.set, digest, definitionSetId };
        this.#fault = null;
      } else {
        this.#fault = firstFaults(compiled.faults);
      }
      this.#seen = digest;
    } catch (error) {
      this.#fault = cutFault(`Cannot read the definitions: ${errorMessage(error)}`);
    }
  }
}

function firstFaults(faults: readonly Fault[]): string {
  const shown = faults.slice(0, 3).map((fault) =>
    `${fault.file}:${fault.line}:${fault.column}: ${fault.message}`
  );
  const more = faults.length > 3 ? ` (and ${faults.length - 3} more)` : '';
  return `${cutFault(shown.join('; '))}${more}`;
}
