import { InvalidArgumentError } from 'commander';
import { errorMessage } from '../meters/errors.ts';
import { parseTimestamp } from '../meters/timestamp.ts';

/** A time as canonical UTC timestamp. @throws {InvalidArgumentError} */
export function timeOf(text: string): string {
  try {
    return parseTimestamp(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}
