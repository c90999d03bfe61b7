import { NephoError } from '../../meters/errors.ts';

/** Words of one command. */
const MAX_WORDS = 256;
const WORD = /[ \t\r\n]+|'([^']*)'|"((?:[^"\\$`]|\\["\\$`])*)"|\\([^\n])|([^ \t\r\n'"\\]+)/y;
/** What a shell would act upon outside of quotes. */
const SHELL = /[|&;<>()$`*?[\]{}!#~]/;

/**
 * The words of a command, by the quotes of a POSIX shell and nothing else of it: there is no shell.
 *
 * @throws {NephoError} `command_failed` for what only a shell could run
 */
export function commandWords(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  WORD.lastIndex = 0;
  while (WORD.lastIndex < text.length) {
    const at = WORD.lastIndex;
    const match = WORD.exec(text);
    if (match === null) throw unreadable('a quote has no end, or holds a $ or `');
    const [found, single, double, escaped, plain] = match;
    if (plain !== undefined && SHELL.test(plain) && plain !== PLACEHOLDER) {
      throw unreadable(`it needs a shell at character ${at + 1}`);
    }
    const part = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain;
    if (part === undefined) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + part;
    if (found === '') break;
  }
  if (word !== null) words.push(word);
  if (words.length === 0) throw unreadable('it is empty');
  if (words.length > MAX_WORDS) throw unreadable(`it has more than ${MAX_WORDS} words`);
  return words;
}

const PLACEHOLDER = '{}';

/**
 * True if one of the commands that are allowed is this one, word by word. `{}` in what is allowed stands
 * for one word that is no option, so that data cannot become one.
 */
export function isAllowedCommand(
  words: readonly string[],
  allowed: readonly (readonly string[])[],
): boolean {
  return allowed.some((pattern) =>
    pattern.length === words.length &&
    pattern.every((part, at) => {
      const word = words[at] ?? '';
      return part === PLACEHOLDER && at > 0 ? !word.startsWith('-') : part === word;
    })
  );
}

function unreadable(why: string): NephoError {
  return new NephoError(
    'command_failed',
    `Cannot run a host_command: ${why}, write a program and its arguments`,
  );
}
