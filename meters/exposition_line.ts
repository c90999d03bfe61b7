import { NephoError } from './errors.ts';

/** A metric's name, and a label's, where no quotes are needed. */
const METRIC_NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const BLANK = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_N = 0x6e;

/** What a line may hold at most. */
export interface LineLimits {
  readonly maxLabels: number;
  /** UTF-16 units of a name, quoted or not. */
  readonly maxNameLength: number;
}

/** Reads one line of an exposition from left to right, with the place of what is wrong. */
export class LineReader {
  readonly line: string;
  readonly number: number;
  readonly limits: LineLimits;
  at = 0;

  constructor(line: string, number: number, limits: LineLimits) {
    this.line = line;
    this.number = number;
    this.limits = limits;
  }

  get isAtEnd(): boolean {
    return this.at >= this.line.length;
  }

  /** @throws {NephoError} `parse_error`, always; the context has `line` and `column`, from 1 */
  fail(problem: string, at: number = this.at): never {
    throw expositionFault(problem, this.number, at + 1);
  }

  /** What stands here, for a message. */
  found(): string {
    return this.isAtEnd ? 'the end of the line' : `'${this.line.slice(this.at, this.at + 24)}'`;
  }

  takes(char: string): boolean {
    if (this.line[this.at] !== char) return false;
    this.at += 1;
    return true;
  }

  skipBlanks(): void {
    for (;;) {
      const unit = this.line.charCodeAt(this.at);
      if (unit !== BLANK && unit !== TAB) return;
      this.at += 1;
    }
  }

  /** Up to the next blank, tab or end of the line; may be empty. */
  readToken(): string {
    const start = this.at;
    while (this.at < this.line.length) {
      const unit = this.line.charCodeAt(this.at);
      if (unit === BLANK || unit === TAB) break;
      this.at += 1;
    }
    return this.line.slice(start, this.at);
  }

  /** A name without quotes, or any text in quotes, as later versions of both formats write it. */
  readName(kind: 'metric' | 'label'): string {
    const start = this.at;
    const isQuoted = this.line.charCodeAt(start) === QUOTE;
    const name = isQuoted ? this.readQuoted() : this.matchName(kind);
    if (name === '') this.fail(`expected the name of a ${kind}, found ${this.found()}`, start);
    if (name.length > this.limits.maxNameLength) {
      this.fail(`a name has more than ${this.limits.maxNameLength} characters`, start);
    }
    return name;
  }

  /** Text in double quotes, which this stands before; `\\`, `\"` and `\n` are one character each. */
  readQuoted(): string {
    const start = this.at;
    if (!this.takes('"')) this.fail(`expected '"', found ${this.found()}`);
    const from = this.at;
    let hasEscapes = false;
    for (;;) {
      const quote = this.line.indexOf('"', this.at);
      if (quote === -1) this.fail("a '\"' is not closed", start);
      const isEscaped = countBackslashesBefore(this.line, quote, this.at) % 2 === 1;
      hasEscapes ||= isEscaped || this.line.slice(this.at, quote).includes('\\');
      this.at = quote + 1;
      if (!isEscaped) break;
    }
    const raw = this.line.slice(from, this.at - 1);
    return hasEscapes ? unescapeText(raw, true) : raw;
  }

  private matchName(kind: 'metric' | 'label'): string {
    const pattern = kind === 'metric' ? METRIC_NAME : LABEL_NAME;
    pattern.lastIndex = this.at;
    const name = pattern.exec(this.line)?.[0] ?? '';
    this.at += name.length;
    return name;
  }
}

function countBackslashesBefore(line: string, quote: number, from: number): number {
  let at = quote;
  while (at > from && line.charCodeAt(at - 1) === BACKSLASH) at -= 1;
  return quote - at;
}

/**
 * Undoes `\\` and `\n`, and `\"` too where asked. A backslash before another character stands for
 * itself, as in Prometheus.
 */
export function unescapeText(raw: string, undoesQuotes: boolean): string {
  let text = '';
  let from = 0;
  for (let at = raw.indexOf('\\'); at !== -1; at = raw.indexOf('\\', at)) {
    const next = raw.charCodeAt(at + 1);
    const isEscape = next === BACKSLASH || next === LOWER_N || (undoesQuotes && next === QUOTE);
    if (!isEscape) {
      at += 1;
      continue;
    }
    text += raw.slice(from, at) + (next === LOWER_N ? '\n' : raw[at + 1]);
    at += 2;
    from = at;
  }
  return text + raw.slice(from);
}

export function expositionFault(problem: string, line: number, column: number): NephoError {
  return new NephoError(
    'parse_error',
    `Cannot read an exposition at line ${line}, column ${column}: ${problem}`,
    { context: { line, column } },
  );
}
