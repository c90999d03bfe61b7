import { NephoError } from './errors.ts';
import { type ExpositionFormat, FamilyTable } from './exposition_family.ts';
import { expositionFault, LineReader } from './exposition_line.ts';
import {
  type ExpositionSample,
  readOpenMetricsSample,
  readTextSample,
} from './exposition_series.ts';
import type { ExpositionFamily } from './exposition_type.ts';

/** Bounds on one exposition. */
export interface ExpositionLimits {
  /** UTF-16 units of the whole text. */
  readonly maxLength: number;
  /** UTF-16 units of one line. */
  readonly maxLineLength: number;
  readonly maxSamples: number;
  readonly maxFamilies: number;
  readonly maxLabels: number;
  readonly maxNameLength: number;
}

export const DEFAULT_EXPOSITION_LIMITS: ExpositionLimits = {
  maxLength: 64 * 1024 * 1024,
  maxLineLength: 64 * 1024,
  maxSamples: 500_000,
  maxFamilies: 50_000,
  maxLabels: 64,
  maxNameLength: 1_024,
};

export type SampleVisitor = (sample: ExpositionSample, family: ExpositionFamily) => void;

const CARRIAGE_RETURN = 0x0d;
const HASH = 0x23;
const BLANK = /^[ \t]*$/;
const DESCRIPTION = /^[ \t]*#[ \t]+(TYPE|HELP)[ \t]+/;
const STRICT_DESCRIPTION = /^# (TYPE|HELP|UNIT) /;
const LAST_LINE = '# EOF';

/**
 * Reads an exposition piece by piece, so that a large one neither holds up everything else nor stands
 * in memory as objects: each sample is shown once and forgotten. Linear in the length of the text.
 *
 * `prometheus` is the text format 0.0.4 as Prometheus' own libraries read it, with line ends of Windows
 * let pass; `openmetrics` is OpenMetrics 1.0 text. Both take names in quotes, as later versions write
 * them. A fault anywhere refuses the whole text, as Prometheus does: half of one would look like
 * series that ended.
 */
export class ExpositionReader {
  private readonly format: ExpositionFormat;
  private readonly visit: SampleVisitor;
  private readonly limits: ExpositionLimits;
  private readonly families: FamilyTable;
  /** A line that the next piece goes on with. */
  private rest = '';
  private length = 0;
  private lines = 0;
  private samples = 0;
  private hasEnded = false;

  constructor(format: ExpositionFormat, visit: SampleVisitor, limits: ExpositionLimits) {
    this.format = format;
    this.visit = visit;
    this.limits = limits;
    this.families = new FamilyTable(format, limits.maxFamilies);
  }

  /** @throws {NephoError} `parse_error` with `line` and `column` in its context, `too_large` */
  feed(piece: string): void {
    this.length += piece.length;
    if (this.length > this.limits.maxLength) {
      throw tooLarge(`it has more than ${this.limits.maxLength} characters`);
    }
    let start = 0;
    for (let end = piece.indexOf('\n'); end !== -1; end = piece.indexOf('\n', start)) {
      const line = piece.slice(start, end);
      this.readLine(this.rest === '' ? line : this.rest + line);
      this.rest = '';
      start = end + 1;
    }
    this.rest += piece.slice(start);
    if (this.rest.length > this.limits.maxLineLength) this.refuseLine();
  }

  /**
   * Says that there is no more. A text that breaks off is refused: the last number could lack digits.
   *
   * @throws {NephoError} `parse_error`
   */
  end(): void {
    if (this.format === 'openmetrics') {
      if (this.rest !== '') {
        const last = this.rest;
        this.rest = '';
        if (last === LAST_LINE || this.hasEnded) this.readLine(last);
      }
      if (this.hasEnded) return;
      throw expositionFault("the text breaks off: '# EOF' is missing", this.lines + 1, 1);
    }
    if (BLANK.test(this.rest)) return;
    throw expositionFault(
      'the text breaks off: its last line has no end',
      this.lines + 1,
      this.rest.length + 1,
    );
  }

  private readLine(line: string): void {
    this.lines += 1;
    if (line.length > this.limits.maxLineLength) this.refuseLine();
    if (this.format === 'prometheus') {
      this.readTextLine(
        line.charCodeAt(line.length - 1) === CARRIAGE_RETURN ? line.slice(0, -1) : line,
      );
    } else this.readStrictLine(line);
  }

  private readTextLine(line: string): void {
    const reader = new LineReader(line, this.lines, this.limits);
    reader.skipBlanks();
    if (reader.isAtEnd) return;
    if (line.charCodeAt(reader.at) === HASH) {
      const keyword = DESCRIPTION.exec(line);
      if (keyword !== null) this.describeText(reader, keyword);
      return;
    }
    this.show(readTextSample(reader), reader);
  }

  private describeText(reader: LineReader, [all, keyword]: RegExpExecArray): void {
    reader.at = all.length;
    if (reader.isAtEnd) return;
    const name = reader.readName('metric');
    const end = reader.at;
    reader.skipBlanks();
    // A description of nothing is a comment.
    if (reader.isAtEnd) return;
    if (reader.at === end) reader.fail(`expected a blank after the name, found ${reader.found()}`);
    const rest = reader.line.slice(reader.at);
    if (keyword === 'TYPE') {
      this.families.describe(reader, { keyword, name, text: rest.trimEnd() });
    } else this.families.describe(reader, { keyword: 'HELP', name, text: rest });
  }

  private readStrictLine(line: string): void {
    if (this.hasEnded) throw expositionFault("a line follows '# EOF'", this.lines, 1);
    if (line === LAST_LINE) {
      this.hasEnded = true;
      return;
    }
    const reader: LineReader = new LineReader(line, this.lines, this.limits);
    if (line.charCodeAt(0) !== HASH) {
      this.show(readOpenMetricsSample(reader), reader);
      return;
    }
    const match = STRICT_DESCRIPTION.exec(line);
    if (match === null) reader.fail("expected '# TYPE', '# HELP', '# UNIT' or '# EOF'");
    reader.at = match[0].length;
    const name = reader.readName('metric');
    if (!reader.takes(' ')) reader.fail(`expected a blank after the name, found ${reader.found()}`);
    const keyword = match[1] as 'TYPE' | 'HELP' | 'UNIT';
    this.families.describe(reader, { keyword, name, text: line.slice(reader.at) });
  }

  private show(sample: ExpositionSample, reader: LineReader): void {
    this.samples += 1;
    if (this.samples > this.limits.maxSamples) {
      throw tooLarge(`it has more than ${this.limits.maxSamples} samples`);
    }
    this.visit(sample, this.families.familyOf(sample.name, reader));
  }

  private refuseLine(): never {
    throw tooLarge(`a line has more than ${this.limits.maxLineLength} characters`);
  }
}

/**
 * Reads a whole exposition.
 *
 * @throws {NephoError} `parse_error` with `line` and `column` in its context, `too_large`
 */
export function readExposition(
  text: string,
  format: ExpositionFormat,
  visit: SampleVisitor,
  limits: ExpositionLimits = DEFAULT_EXPOSITION_LIMITS,
): void {
  const reader = new ExpositionReader(format, visit, limits);
  reader.feed(text);
  reader.end();
}

function tooLarge(problem: string): NephoError {
  return new NephoError('too_large', `Cannot read an exposition: ${problem}`);
}
