import { NephoError } from './errors.ts';

/** States an invariant of our own making. A failure is our mistake, never the input's. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new NephoError('invariant_broken', `Invariant broken: ${message}`);
}

/** Marks the branch that a closed union leaves no value for. */
export function unreachable(value: never): never {
  throw new NephoError('invariant_broken', `Invariant broken: unexpected ${JSON.stringify(value)}`);
}
