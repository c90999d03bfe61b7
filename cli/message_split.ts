import { NephoError } from '../meters/errors.ts';

/** Messages to send, each with the bytes as they stood in the input. */
export interface SplitMessages {
  messages: Uint8Array[];
  /** How many of them are not JSON: the quarantine will show them. */
  unreadable: number;
}

const LINE_FEED = 0x0a;
/** Windows begins files with it. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const BLANK = /^[ \t\r\n]*$/;

/**
 * The notifications in a file: one JSON value, a list of them, or one a line. Each is cut out of the
 * input and never written anew, which would round numbers beyond 2^53.
 *
 * Among lines that are JSON, one that is not is sent as it is, since nothing is to be lost: it ends in
 * the quarantine with its reason. Input of which nothing is JSON is another file by mistake.
 *
 * @throws {NephoError} `input_empty`, `input_unreadable`
 */
export function splitMessages(whole: Uint8Array): SplitMessages {
  const input = BYTE_ORDER_MARK.every((byte, i) => whole[i] === byte) ? whole.subarray(3) : whole;
  const text = decode(input);
  if (text !== null && BLANK.test(text)) throw empty();
  if (text !== null && isJson(text)) return splitJson(text);
  const messages = splitLines(input);
  const unreadable = messages.filter((line) => !isJson(decode(line) ?? '')).length;
  if (messages.length === 0) throw empty();
  if (unreadable === messages.length) {
    throw new NephoError(
      'input_unreadable',
      'Cannot send this input: it is neither JSON nor JSON lines, use --raw to send it all the same',
    );
  }
  return { messages, unreadable };
}

function splitJson(text: string): SplitMessages {
  const encoder = new TextEncoder();
  const items = text.trimStart().startsWith('[') ? listItems(text) : [text.trim()];
  if (items.length === 0) throw empty();
  return { messages: items.map((item) => encoder.encode(item)), unreadable: 0 };
}

/** The texts of the items of a JSON list. `text` is known to be valid JSON. */
export function listItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let start = -1;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = stringEnd(text, i);
    else if (char === '[' || char === '{') {
      depth += 1;
      if (depth === 1) start = i + 1;
    } else if (char === ']' || char === '}') {
      depth -= 1;
      if (depth === 0) items.push(text.slice(start, i));
    } else if (char === ',' && depth === 1) {
      items.push(text.slice(start, i));
      start = i + 1;
    }
  }
  const trimmed = items.map((item) => item.trim());
  // An empty list has one item without text.
  return trimmed.length === 1 && trimmed[0] === '' ? [] : trimmed;
}

/** The index of the quote that ends the string which begins at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

function splitLines(input: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < input.length;) {
    const found = input.indexOf(LINE_FEED, start);
    const end = found < 0 ? input.length : found;
    const line = input.subarray(start, end);
    if (!BLANK.test(decode(line) ?? 'bytes')) lines.push(line);
    start = end + 1;
  }
  return lines;
}

/** Null for what is not UTF-8. */
function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function empty(): NephoError {
  return new NephoError('input_empty', 'Cannot send this input: it holds no notification');
}
