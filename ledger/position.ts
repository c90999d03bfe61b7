/**
 * A place in any of a deployment's logs as one number: `log id * 2^40 + leaf index`. Below 2^53 for log
 * ids below 8,192, so that a JavaScript number holds it exactly.
 */
export const LEAVES_PER_LOG = 2 ** 40;
export const MAX_LOG_ID = 2 ** 13 - 1;

export function positionOf(logId: number, leaf: number): number {
  return logId * LEAVES_PER_LOG + leaf;
}

export function logOfPosition(position: number): number {
  return Math.floor(position / LEAVES_PER_LOG);
}

export function leafOfPosition(position: number): number {
  return position % LEAVES_PER_LOG;
}

/** The log's number from its name, `<deployment>/log/<number>`; null of another name. */
export function logIdOfOrigin(origin: string): number | null {
  const digits = /\/log\/(0|[1-9]\d{0,3})$/.exec(origin)?.[1];
  return digits === undefined ? null : Number(digits);
}
