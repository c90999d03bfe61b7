/** Whether a code point belongs to a set. */
export type SetTest = (code: number) => boolean;

const DIGIT = /\p{Nd}/u;
const WORD = /[\p{L}\p{N}_]/u;
const SPACE = /[\p{Z}\t-\r\u{1c}-\u{1f}\u{85}]/u;

/** `\d`, `\w`, `\s` and their opposites, over all of Unicode as in Python; null for anything else. */
export function classEscape(letter: string): SetTest | null {
  switch (letter) {
    case 'd':
      return isDigit;
    case 'D':
      return (code) => !isDigit(code);
    case 'w':
      return isWordChar;
    case 'W':
      return (code) => !isWordChar(code);
    case 's':
      return isSpace;
    case 'S':
      return (code) => !isSpace(code);
    default:
      return null;
  }
}

export function isWordChar(code: number): boolean {
  if (code < 128) {
    return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || isDigit(code) ||
      code === 95;
  }
  return WORD.test(String.fromCodePoint(code));
}

function isDigit(code: number): boolean {
  return code < 128 ? code >= 48 && code <= 57 : DIGIT.test(String.fromCodePoint(code));
}

function isSpace(code: number): boolean {
  return SPACE.test(String.fromCodePoint(code));
}
