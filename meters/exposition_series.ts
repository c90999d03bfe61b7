import {
  type ExpositionValue,
  readExpositionValue,
  readMillisTimestamp,
  readSecondsTimestamp,
} from './exposition_number.ts';
import type { LineReader } from './exposition_line.ts';

/** A measurement that led to a sample: OpenMetrics has it behind a `#`. */
export interface ExpositionExemplar {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: ExpositionValue;
  readonly timestampMicros: bigint | null;
}

/** One line of values. */
export interface ExpositionSample {
  /** As on the line: with `_total`, `_bucket` and the like. */
  readonly name: string;
  /** In the order of the line. */
  readonly labels: ReadonlyMap<string, string>;
  /** The decimal as written, or `NaN`, `+Inf`, `-Inf`. */
  readonly value: ExpositionValue;
  /** Microseconds since 1970; null where the sample says no time. */
  readonly timestampMicros: bigint | null;
  readonly exemplar: ExpositionExemplar | null;
  /** From 1. */
  readonly line: number;
}

const NO_LABELS: ReadonlyMap<string, string> = new Map();

/** `name{label="value"} 1.5 1700000000000` with blanks or tabs wherever they do no harm. */
export function readTextSample(reader: LineReader): ExpositionSample {
  const { name, labels } = readSeries(reader, true);
  reader.skipBlanks();
  const value = readValue(reader);
  reader.skipBlanks();
  let timestampMicros: bigint | null = null;
  if (!reader.isAtEnd) {
    const start = reader.at;
    timestampMicros = readMillisTimestamp(reader.readToken());
    if (timestampMicros === null) {
      reader.fail('expected a timestamp of whole milliseconds, or the end of the line', start);
    }
    reader.skipBlanks();
    if (!reader.isAtEnd) reader.fail(`expected the end of the line, found ${reader.found()}`);
  }
  return { name, labels, value, timestampMicros, exemplar: null, line: reader.number };
}

/** `name{label="value"} 1.5 1700000000.25 # {trace_id="7"} 0.3 1700000000` with single blanks. */
export function readOpenMetricsSample(reader: LineReader): ExpositionSample {
  const { name, labels } = readSeries(reader, false);
  takeBlank(reader, 'before the value');
  const value = readValue(reader);
  let timestampMicros: bigint | null = null;
  let exemplar: ExpositionExemplar | null = null;
  if (reader.takes(' ')) {
    if (reader.line[reader.at] !== '#') timestampMicros = readSeconds(reader);
    if (!reader.isAtEnd) {
      if (timestampMicros !== null) takeBlank(reader, "before the '#' of an exemplar");
      exemplar = readExemplar(reader);
    }
  }
  return { name, labels, value, timestampMicros, exemplar, line: reader.number };
}

function readSeries(
  reader: LineReader,
  allowsBlanks: boolean,
): { name: string; labels: ReadonlyMap<string, string> } {
  // `{"a name", label="x"}` is how later versions write a name that needs quotes.
  const isNamedInside = reader.line[reader.at] === '{';
  const name = isNamedInside ? null : reader.readName('metric');
  if (allowsBlanks) reader.skipBlanks();
  if (!reader.takes('{')) return { name: name ?? '', labels: NO_LABELS };
  const found = readLabels(reader, { name, allowsBlanks, allowsName: true });
  if (found.name === null) reader.fail('the braces hold no name of a metric');
  return { name: found.name, labels: found.labels };
}

function readLabels(
  reader: LineReader,
  options: { name: string | null; allowsBlanks: boolean; allowsName: boolean },
): { name: string | null; labels: ReadonlyMap<string, string> } {
  const labels = new Map<string, string>();
  let { name } = options;
  const skip = (): void => {
    if (options.allowsBlanks) reader.skipBlanks();
  };
  for (;;) {
    skip();
    // Both formats' parsers let a last comma pass.
    if (reader.takes('}')) break;
    const start = reader.at;
    const isQuoted = reader.line[start] === '"';
    const label = reader.readName('label');
    skip();
    if (reader.takes('=')) {
      skip();
      addLabel(reader, labels, { label, start });
    } else if (isQuoted && options.allowsName && name === null) {
      name = label;
    } else {
      reader.fail(`expected '=' after the label '${label.slice(0, 40)}', found ${reader.found()}`);
    }
    skip();
    if (reader.takes(',')) continue;
    if (reader.takes('}')) break;
    reader.fail(`expected ',' or '}' after a label, found ${reader.found()}`);
  }
  return { name, labels: labels.size === 0 ? NO_LABELS : labels };
}

function addLabel(
  reader: LineReader,
  labels: Map<string, string>,
  { label, start }: { label: string; start: number },
): void {
  const value = reader.readQuoted();
  if (label === '__name__') reader.fail("the label '__name__' is reserved", start);
  if (labels.has(label)) reader.fail(`the label '${label.slice(0, 40)}' stands twice`, start);
  if (labels.size >= reader.limits.maxLabels) {
    reader.fail(`a series has more than ${reader.limits.maxLabels} labels`, start);
  }
  labels.set(label, value);
}

function readValue(reader: LineReader): ExpositionValue {
  const start = reader.at;
  const token = reader.readToken();
  const value = readExpositionValue(token);
  if (value !== null) return value;
  reader.fail(`expected a number, found '${token.slice(0, 40)}'`, start);
}

function readSeconds(reader: LineReader): bigint {
  const start = reader.at;
  const micros = readSecondsTimestamp(reader.readToken());
  if (micros !== null) return micros;
  reader.fail('expected a timestamp in seconds', start);
}

function readExemplar(reader: LineReader): ExpositionExemplar {
  if (!reader.takes('#')) reader.fail(`expected the '#' of an exemplar, found ${reader.found()}`);
  takeBlank(reader, "after the '#'");
  if (!reader.takes('{')) reader.fail(`expected '{' of an exemplar, found ${reader.found()}`);
  const { labels } = readLabels(reader, { name: null, allowsBlanks: false, allowsName: false });
  takeBlank(reader, 'before the value of the exemplar');
  const value = readValue(reader);
  const timestampMicros = reader.takes(' ') ? readSeconds(reader) : null;
  if (!reader.isAtEnd) reader.fail(`expected the end of the line, found ${reader.found()}`);
  return { labels, value, timestampMicros };
}

function takeBlank(reader: LineReader, place: string): void {
  if (!reader.takes(' ')) reader.fail(`expected a blank ${place}, found ${reader.found()}`);
}
