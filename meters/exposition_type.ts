import type { MeterType } from './sample.ts';

/** What a `# TYPE` line may say; `untyped` of the Prometheus text format is `unknown` here. */
export const EXPOSITION_TYPES = [
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'stateset',
  'info',
  'unknown',
] as const;
export type ExpositionType = (typeof EXPOSITION_TYPES)[number];

/** What the lines of a metric say about it. */
export interface ExpositionFamily {
  /** Without the suffixes of its samples. */
  readonly name: string;
  readonly type: ExpositionType;
  readonly unit: string;
  readonly help: string;
}

const PLAIN = [''];
/** Of OpenMetrics 1.0, in which the suffix belongs to the sample and not to the metric. */
const OPENMETRICS_SUFFIXES: Readonly<Record<ExpositionType, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: PLAIN,
  histogram: ['_bucket', '_count', '_sum', '_created'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum'],
  summary: ['', '_count', '_sum', '_created'],
  stateset: PLAIN,
  info: ['_info'],
  unknown: PLAIN,
};
/** Of the text format, where a counter's own name ends in `_total`, if it does. */
const TEXT_SUFFIXES: Readonly<Record<ExpositionType, readonly string[]>> = {
  counter: PLAIN,
  gauge: PLAIN,
  histogram: ['_bucket', '_count', '_sum', ''],
  gaugehistogram: ['_bucket', '_gcount', '_gsum', '_count', '_sum', ''],
  summary: ['', '_count', '_sum'],
  stateset: PLAIN,
  info: ['', '_info'],
  unknown: PLAIN,
};
/** Ends of the names of what only rises, as the conventions of Prometheus have it. */
const RISING_NAME = /_(?:total|count|bucket|sum)$/;

export function readExpositionType(word: string): ExpositionType | null {
  return EXPOSITION_TYPES.find((type) => type === word) ?? null;
}

/** True if a sample of this name is one of the family's. */
export function isOfFamily(
  sampleName: string,
  family: ExpositionFamily,
  format: 'prometheus' | 'openmetrics',
): boolean {
  const suffixes = (format === 'prometheus' ? TEXT_SUFFIXES : OPENMETRICS_SUFFIXES)[family.type];
  return sampleName.startsWith(family.name) &&
    suffixes.includes(sampleName.slice(family.name.length));
}

/** The names of families that a sample may belong to, the likeliest first. */
export function familyNamesOf(sampleName: string): string[] {
  const cut = /^(.+)_(?:bucket|count|sum|gcount|gsum|info)$/s.exec(sampleName)?.[1];
  return cut === undefined ? [sampleName] : [sampleName, cut];
}

/**
 * The type of the meter that a sample is: `cumulative` for what only rises, else `gauge`. Without a
 * type, the end of the name decides, see {@link meterTypeOfName}.
 */
export function meterTypeOf(sampleName: string, family: ExpositionFamily): MeterType {
  const suffix = sampleName.slice(family.name.length);
  switch (family.type) {
    case 'counter':
      // When the counter began, which is no count.
      return suffix === '_created' ? 'gauge' : 'cumulative';
    case 'histogram':
      return suffix === '_created' ? 'gauge' : 'cumulative';
    case 'summary':
      return suffix === '_count' || suffix === '_sum' ? 'cumulative' : 'gauge';
    case 'unknown':
      return meterTypeOfName(sampleName);
    case 'gauge':
    case 'gaugehistogram':
    case 'stateset':
    case 'info':
      return 'gauge';
  }
}

/** `cumulative` for a name that ends in `_total`, `_count`, `_sum` or `_bucket`, else `gauge`. */
export function meterTypeOfName(sampleName: string): MeterType {
  return RISING_NAME.test(sampleName) ? 'cumulative' : 'gauge';
}
