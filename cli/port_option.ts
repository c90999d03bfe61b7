import { InvalidArgumentError } from 'commander';

/** A port of the command line. @throws {InvalidArgumentError} which commander tells as one sentence */
export function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError('write a port from 0 to 65535');
  }
  return port;
}
