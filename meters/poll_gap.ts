/**
 * Why a reading that was expected is not there. Each is a word of its own in the coverage report, so
 * that nobody takes a missing reading for a zero.
 */
export const GAP_REASONS = [
  /** No answer within the time that the endpoint, or the cycle, allows. */
  'timeout',
  /** The connection was refused, reset or cut off, or the name not found. */
  'unreachable',
  /** The certificate is not one that the deployer trusts. */
  'certificate_invalid',
  'server_error',
  'unauthorised',
  'forbidden',
  'rate_limited',
  /** Another 4xx: the request itself is not to the endpoint's liking. */
  'request_refused',
  /** A redirect; none is followed, lest a token goes to a stranger. */
  'redirected',
  /** 404 or 410 for a resource that the listing named. */
  'resource_gone',
  /** The service is not in the catalogue, or its listing is not offered. */
  'service_absent',
  /** Not what it should be: no JSON, half of it, HTML, another shape. */
  'parse_error',
  /** A success that says it is none. */
  'error_in_body',
  'too_large',
  /** The pages of a listing lead back to one that was read. */
  'paging_loop',
  /** What stands where the number should stand is no number. */
  'value_invalid',
  'timestamp_invalid',
  /** The endpoint failed so often that it is left alone for a while. */
  'circuit_open',
  /** A permanent error of this resource; it is tried again within the hour. */
  'set_aside',
  /** The pollster itself failed. */
  'pollster_failed',
  /** A program that the collector runs is missing or ended with an error. */
  'command_failed',
  /** No worker polled in this cycle, or the one that did was lost. */
  'worker_away',
  /** The cycle was not begun since the one before still ran. */
  'overlap_skipped',
  /** An operator had paused the source. */
  'paused',
  /** Fewer resources than the source is expected to have. */
  'below_expectation',
] as const;

export type GapReason = (typeof GAP_REASONS)[number];

export function isGapReason(code: string): code is GapReason {
  return GAP_REASONS.some((reason) => reason === code);
}

/** What was read and is odd: the sample is kept, the coverage says so. */
export const REMARK_CODES = [
  /** A cumulative counter is lower than in a cycle before. */
  'counter_reset',
  /** The endpoint's clock, or a reading's own time, is minutes from ours. */
  'clock_skew',
  /** A listing named the same resource twice. */
  'listed_twice',
  /** A service that the cloud does not have, of which a wildcard would take the meters. */
  'not_offered',
  /** A number came as text. */
  'number_as_text',
  /** Metadata that a definition asks another endpoint for could not be read. */
  'metadata_missing',
] as const;

export type RemarkCode = (typeof REMARK_CODES)[number];
