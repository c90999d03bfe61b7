/** Starts the parts of a system in order, watches them, and stops them in the reverse order. */
import process from 'node:process';
import { type ChildSpec, type GuardedChild, startGuarded } from './guarded_child.ts';

/** Milliseconds that a part has to end after TERM, unless it says otherwise. */
const GRACE_MS = 15_000;

export interface PartOptions {
  /** Milliseconds between TERM and KILL. */
  graceMs?: number;
}

interface Part {
  child: GuardedChild;
  graceMs: number;
}

/** Holds the child processes of one system. Nothing that it started outlives it or this process. */
export class Supervisor {
  readonly #parts: Part[] = [];
  readonly #onFailure: (name: string, status: number) => void;
  #stopping: Promise<void> | undefined;

  /** @param onFailure told when a part ends that nobody stopped */
  constructor(onFailure: (name: string, status: number) => void) {
    this.#onFailure = onFailure;
    process.once('exit', this.#killAll);
  }

  /** @throws {NephoError} `process_failed` */
  async start(spec: ChildSpec, options: PartOptions = {}): Promise<GuardedChild> {
    const child = await startGuarded(spec);
    this.#parts.push({ child, graceMs: options.graceMs ?? GRACE_MS });
    void child.ended.then((status) => {
      if (this.#stopping === undefined) this.#onFailure(child.name, status);
    });
    return child;
  }

  /** True from the first call of `stop` on. */
  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Stops all parts, the last started first. Resolves when none is left. Safe to call twice. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stopInOrder();
  }

  async #stopInOrder(): Promise<void> {
    for (const { child, graceMs } of this.#parts.toReversed()) await child.stop(graceMs);
    process.off('exit', this.#killAll);
  }

  readonly #killAll = (): void => {
    for (const { child } of this.#parts) child.killNow();
  };
}
