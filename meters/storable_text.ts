import { NephoError } from './errors.ts';

/**
 * Checks that a text which will be stored and signed can be: no NUL (PostgreSQL), no lone surrogate
 * (UTF-8), not longer than `limit` UTF-16 units.
 *
 * @throws {NephoError} `text_invalid`, `name_too_long`, with the place in its context
 */
export function checkStorableText(text: string, place: string, limit: number): void {
  if (text.length > limit) {
    throw new NephoError(
      'name_too_long',
      `Cannot keep ${place} '${
        text.slice(0, 40)
      }…': it has ${text.length} characters, at most ${limit} are kept`,
      { context: { place } },
    );
  }
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new NephoError(
      'text_invalid',
      `Cannot keep ${place}: it holds a NUL or half of a surrogate pair`,
      { context: { place } },
    );
  }
}

/** What can be kept of a text that may be anything: its beginning, other marks for what is unfit. */
export function asStorableText(text: string, limit: number): string {
  return text.slice(0, limit).replaceAll('\0', '\uFFFD').toWellFormed();
}

/** True of a text that {@link checkStorableText} takes. */
export function isStorableText(text: string, limit: number): boolean {
  return text.length <= limit && !text.includes('\0') && text.isWellFormed();
}
