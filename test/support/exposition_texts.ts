import fc from 'fast-check';
import type { ExpositionFormat } from '../../meters/exposition_family.ts';
import type { ExpositionType } from '../../meters/exposition_type.ts';

/** A sample as a test wants it written. */
export interface WrittenSample {
  name: string;
  labels: [string, string][];
  value: string;
  timestampMicros: bigint | null;
  exemplar: { labels: [string, string][]; value: string; timestampMicros: bigint | null } | null;
}

export interface WrittenFamily {
  name: string;
  type: ExpositionType;
  unit: string;
  help: string;
  samples: WrittenSample[];
}

/** Writes what the parser shall read, by the rules of the two formats alone. */
export function writeExposition(
  families: readonly WrittenFamily[],
  format: ExpositionFormat,
): string {
  const lines = families.flatMap(({ name, type, unit, help, samples }) => {
    const strict = format === 'openmetrics';
    const quoted = quoteName(name);
    return [
      `# TYPE ${quoted} ${!strict && type === 'unknown' ? 'untyped' : type}`,
      ...(strict && unit !== '' ? [`# UNIT ${quoted} ${unit}`] : []),
      `# HELP ${quoted} ${escape(help, strict)}`,
      ...samples.map((sample) => writeSample(sample, format)),
    ];
  });
  return [...lines, ...(format === 'openmetrics' ? ['# EOF'] : []), ''].join('\n');
}

function writeSample(sample: WrittenSample, format: ExpositionFormat): string {
  const { name, labels, value, timestampMicros, exemplar } = sample;
  const pairs = labels.map(writeLabel);
  const series = /^[a-zA-Z_:][\w:]*$/.test(name)
    ? `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`}`
    : `{${[quoteName(name), ...pairs].join(',')}}`;
  const time = timestampMicros === null
    ? ''
    : ` ${format === 'prometheus' ? timestampMicros / 1_000n : seconds(timestampMicros)}`;
  if (exemplar === null || format === 'prometheus') return `${series} ${value}${time}`;
  const exemplarTime = exemplar.timestampMicros === null
    ? ''
    : ` ${seconds(exemplar.timestampMicros)}`;
  return `${series} ${value}${time} # {${
    exemplar.labels.map(writeLabel).join(',')
  }} ${exemplar.value}${exemplarTime}`;
}

function writeLabel([name, value]: [string, string]): string {
  const quoted = /^[a-zA-Z_]\w*$/.test(name) ? name : quoteName(name);
  return `${quoted}="${escape(value, true)}"`;
}

function quoteName(name: string): string {
  return /^[a-zA-Z_:][\w:]*$/.test(name) ? name : `"${escape(name, true)}"`;
}

function escape(text: string, quotes: boolean): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return quotes ? escaped.replaceAll('"', '\\"') : escaped;
}

function seconds(micros: bigint): string {
  const fraction = (micros % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  return `${micros / 1_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const labelName = word.filter((name) => !['le', 'quantile'].includes(name));
/** All that may stand in a label's value, what must be escaped above all. */
const anyText = fc.string({
  unit: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('\\', '"', '\n', '{', '}', ',', '=', ' ', '#', 'n') },
    { weight: 5, arbitrary: fc.constantFrom('a', 'b', '7', '_', 'ü', '€', '漢', '😀', '\t', '\r') },
  ),
  maxLength: 12,
});
const count = fc.bigInt({ min: 0n, max: 1n << 70n }).map(String);
const decimal = fc.oneof(
  count,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('0', '-0.0', '1e3', '1E-3', '18446744073709551615', '9007199254740993'),
);
const gaugeValue = fc.oneof(decimal, fc.constantFrom('NaN', '+Inf', '-Inf'));
const labelSets = fc.uniqueArray(
  fc.uniqueArray(fc.tuple(labelName, anyText), { selector: ([name]) => name, maxLength: 3 }),
  { selector: sortedText, minLength: 1, maxLength: 3 },
);
const time = fc.option(fc.bigInt({ min: 0n, max: 4_000_000_000_000n }).map((ms) => ms * 1_000n));
const exemplar = fc.option(
  fc.record({
    labels: fc.uniqueArray(fc.tuple(labelName, word), { selector: ([name]) => name, maxLength: 2 }),
    value: decimal.filter((text) => !text.includes('e')),
    timestampMicros: time,
  }, { noNullPrototype: true }),
);

/** The same for labels in another order. */
function sortedText(labels: [string, string][]): string {
  return labels.map((label) => JSON.stringify(label)).sort((a, b) => a < b ? -1 : 1).join();
}

interface Shape {
  suffix: string;
  extra: [string, string][];
  value: string;
  takesExemplar?: boolean;
}

/** The samples that one set of labels has in a metric of a type. */
function shapesOf(
  type: ExpositionType,
  name: string,
  format: ExpositionFormat,
): fc.Arbitrary<Shape[]> {
  const one = (suffix: string, value: fc.Arbitrary<string>, takesExemplar = false) =>
    value.map((text): Shape[] => [{ suffix, extra: [], value: text, takesExemplar }]);
  switch (type) {
    case 'counter':
      return one(format === 'openmetrics' ? '_total' : '', count, true);
    case 'gauge':
    case 'unknown':
      return one('', gaugeValue);
    case 'info':
      return one('_info', fc.constant('1'));
    case 'stateset':
      return fc.constantFrom('0', '1').map((value) =>
        ['up', 'down'].map((state) => ({ suffix: '', extra: [[name, state]], value }))
      );
    case 'summary':
      return fc.tuple(count, count).map(([sum, total]) => [
        ...['0.5', '0.99'].map((at) => ({
          suffix: '',
          extra: [['quantile', at]] as [string, string][],
          value: sum,
        })),
        { suffix: '_sum', extra: [], value: sum },
        { suffix: '_count', extra: [], value: total },
      ]);
    case 'histogram':
    case 'gaugehistogram': {
      const g = type === 'histogram' ? '' : 'g';
      return fc.tuple(fc.nat(1_000), fc.nat(1_000), count).map(([low, more, sum]) => [
        ...[['0.1', low], ['1.0', low + more], ['+Inf', low + more]].map(([le, value]) => ({
          suffix: '_bucket',
          extra: [['le', String(le)]] as [string, string][],
          value: String(value),
          takesExemplar: true,
        })),
        { suffix: `_${g}sum`, extra: [], value: sum },
        { suffix: `_${g}count`, extra: [], value: String(low + more) },
      ]);
    }
  }
}

function familyOf(
  type: ExpositionType,
  format: ExpositionFormat,
): fc.Arbitrary<WrittenFamily> {
  const unitAllowed = format === 'openmetrics' && type !== 'info' && type !== 'stateset';
  const head = fc.record({
    word,
    unit: unitAllowed ? fc.constantFrom('', 'seconds', 'bytes') : fc.constant(''),
    help: anyText.map((text) => text.trim()),
    labelSets,
    timestampMicros: time,
  });
  return head.chain(({ word, unit, help, labelSets, timestampMicros }) => {
    const total = type === 'counter' && format === 'prometheus' ? '_total' : '';
    const name = `${type}_${word}${unit === '' ? '' : `_${unit}`}${total}`;
    const groups = labelSets.map((labels) =>
      fc.tuple(shapesOf(type, name, format), exemplar).map(([shapes, exemplar]) =>
        shapes.map((shape): WrittenSample => ({
          name: name + shape.suffix,
          labels: [...labels, ...shape.extra],
          value: shape.value,
          timestampMicros,
          exemplar: format === 'openmetrics' && shape.takesExemplar === true ? exemplar : null,
        }))
      )
    );
    return fc.tuple(...groups).map((samples) => ({
      name,
      type,
      unit,
      help,
      samples: samples.flat(),
    }));
  });
}

/** What an exporter of the format could say; each metric and each set of labels stands once. */
export function expositions(format: ExpositionFormat): fc.Arbitrary<WrittenFamily[]> {
  const types: ExpositionType[] = format === 'openmetrics'
    ? ['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'stateset', 'info', 'unknown']
    : ['counter', 'gauge', 'histogram', 'summary', 'unknown'];
  return fc.uniqueArray(
    fc.constantFrom(...types).chain((type) => familyOf(type, format)),
    { selector: ({ name }) => name, maxLength: 5 },
  );
}
