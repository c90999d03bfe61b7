/**
 * The one error class of the domain: a stable `code`, a sentence that says what was being done, with
 * which value, and what to do, and whether doing the same again may succeed.
 *
 * Recognise it by {@link isNephoError}, never by `instanceof`: a workflow's sandbox and a second copy
 * of the package have another class of the same name.
 */
export class NephoError extends Error {
  override readonly name = 'NephoError';
  readonly code: string;
  readonly retryable: boolean;
  readonly context: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: string, message: string, options: NephoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.context = options.context ?? {};
  }
}

export interface NephoErrorOptions {
  /** True if the same call may succeed later without a change of its input. */
  retryable?: boolean;
  /** The values at hand, for logs and programs. Never secrets, never payloads. */
  context?: Record<string, string | number | boolean | null>;
  cause?: unknown;
}

export function isNephoError(error: unknown): error is NephoError {
  return error instanceof Error && error.name === 'NephoError' && 'code' in error;
}

/** The sentence of any thrown value. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Adds to a NephoError the place, as in `units[2].volume`, of what was being read. */
export function atPlace<Result>(place: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!isNephoError(cause)) throw cause;
    throw new NephoError(cause.code, cause.message, { context: { place }, cause });
  }
}
