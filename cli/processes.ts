/** Starts the parts of a system in order, watches them, and stops them in the reverse order. */
import process from 'node:process';
import { NephoError } from '../meters/errors.ts';
import { type ChildSpec, type GuardedChild, startGuarded } from './guarded_child.ts';

/** Milliseconds that a part has to end after TERM, unless it says otherwise. */
const GRACE_MS = 15_000;

interface Part {
  child: GuardedChild;
  graceMs: number;
}

/** Holds the child processes of one system. Nothing that it started outlives it or this process. */
export class Supervisor {
  readonly #parts: Part[] = [];
  /** Told when a part ends that nobody stopped. */
  readonly onFailure: (error: NephoError) => void;
  #stopping: Promise<void> | undefined;

  /** @param onFailure told when a part ends that nobody stopped */
  constructor(onFailure: (error: NephoError) => void) {
    this.onFailure = onFailure;
    process.once('exit', this.#killAll);
  }

  /** @throws {NephoError} `process_failed`, also once all is being stopped */
  async start(spec: ChildSpec): Promise<GuardedChild> {
    this.#refuseWhenStopping(spec);
    const child = await startGuarded(spec);
    if (this.#stopping !== undefined) await child.stop(0);
    this.#refuseWhenStopping(spec);
    this.#parts.push({ child, graceMs: spec.graceMs ?? GRACE_MS });
    void child.ended.then((status) => {
      if (this.#stopping !== undefined) return;
      const tellFailure = spec.onFailure ?? this.onFailure;
      tellFailure(child.failure(`it ended with status ${status}`));
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

  #refuseWhenStopping({ name }: ChildSpec): void {
    if (this.#stopping === undefined) return;
    throw new NephoError('process_failed', `Cannot start ${name}: the system is being stopped`);
  }

  async #stopInOrder(): Promise<void> {
    for (const { child, graceMs } of this.#parts.toReversed()) await child.stop(graceMs);
    process.off('exit', this.#killAll);
  }

  readonly #killAll = (): void => {
    for (const { child } of this.#parts) child.killNow();
  };
}
