import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import {
  DEFAULT_EXPOSITION_LIMITS,
  ExpositionReader,
  readExposition,
} from '../../meters/exposition.ts';
import type { ExpositionFormat } from '../../meters/exposition_family.ts';
import type { ExpositionSample } from '../../meters/exposition_series.ts';
import type { ExpositionFamily } from '../../meters/exposition_type.ts';
import {
  expositions,
  writeExposition,
  type WrittenFamily,
  type WrittenSample,
} from '../support/exposition_texts.ts';

const FORMATS: ExpositionFormat[] = ['prometheus', 'openmetrics'];

function read(text: string, format: ExpositionFormat): WrittenFamily[] {
  const found = new Map<string, WrittenFamily>();
  readExposition(text, format, (sample, family) => add(found, sample, family));
  return [...found.values()];
}

function add(
  found: Map<string, WrittenFamily>,
  sample: ExpositionSample,
  family: ExpositionFamily,
): void {
  const kept = found.get(family.name) ?? { ...family, samples: [] };
  found.set(family.name, kept);
  const { name, value, timestampMicros, exemplar } = sample;
  const written: WrittenSample = {
    name,
    labels: [...sample.labels],
    value,
    timestampMicros,
    exemplar: exemplar && { ...exemplar, labels: [...exemplar.labels] },
  };
  kept.samples.push(written);
}

for (const format of FORMATS) {
  test(`${format}: what is written is read again, to the last digit`, () => {
    fc.assert(
      fc.property(expositions(format), (families) => {
        assert.deepEqual(read(writeExposition(families, format), format), families);
      }),
      { numRuns: 25 },
    );
  });

  test(`${format}: pieces of any size give the same as the whole`, () => {
    fc.assert(
      fc.property(expositions(format), fc.integer({ min: 1, max: 40 }), (families, size) => {
        const found = new Map<string, WrittenFamily>();
        const reader = new ExpositionReader(
          format,
          (sample, family) => add(found, sample, family),
          DEFAULT_EXPOSITION_LIMITS,
        );
        const text = writeExposition(families, format);
        for (let at = 0; at < text.length; at += size) reader.feed(text.slice(at, at + size));
        reader.end();
        assert.deepEqual([...found.values()], families);
      }),
      { numRuns: 25 },
    );
  });

  test(`${format}: a text cut off anywhere never gives a number that was not written`, () => {
    fc.assert(
      fc.property(expositions(format), fc.nat(), (families, at) => {
        const text = writeExposition(families, format);
        const cut = text.slice(0, at % (text.length + 1));
        const values = new Set(families.flatMap(({ samples }) => samples.map(lineOf)));
        if (tryRead(cut, format)) {
          for (const sample of read(cut, format).flatMap(({ samples }) => samples)) {
            assert.ok(values.has(lineOf(sample)));
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  test(`${format}: garbage and damage end in readings or in one of two errors`, () => {
    const damage = fc.tuple(expositions(format), fc.nat(), fc.string({ maxLength: 4 })).map(
      ([families, at, inserted]) => {
        const text = writeExposition(families, format);
        const place = at % (text.length + 1);
        return text.slice(0, place) + inserted + text.slice(place + (at % 3));
      },
    );
    const soup = fc.string({
      unit: fc.constantFrom(
        'a',
        '{',
        '}',
        '"',
        '\\',
        '=',
        ',',
        ' ',
        '\n',
        '#',
        '1',
        'e',
        '.',
        '\t',
      ),
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.oneof(damage, soup, fc.string({ unit: 'binary', maxLength: 80 })), (text) => {
        tryRead(text, format);
      }),
      { numRuns: 120 },
    );
  });
}

test('the time grows with the length alone, for texts that tempt a parser to go back', () => {
  const bad = [
    `${'a'.repeat(60_000)} 1\n`,
    `a{b="${'\\'.repeat(60_000)}"} 1\n`,
    `a{b="${'\\"'.repeat(30_000)}"} 1\n`,
    `a ${'1'.repeat(60_000)}x\n`,
    `a 1${' '.repeat(60_000)}x\n`,
    `# HELP a ${'\\n'.repeat(30_000)}\n`,
    `${' '.repeat(60_000)}#\n`,
  ];
  const start = performance.now();
  for (const format of FORMATS) {
    for (const line of bad) tryRead(line.repeat(20), format);
  }
  assert.ok(performance.now() - start < 1_500);
});

function lineOf({ name, labels, value }: WrittenSample): string {
  return JSON.stringify([name, labels, value]);
}

/** @returns false for a fault, which must be one of those that are announced */
function tryRead(text: string, format: ExpositionFormat): boolean {
  try {
    readExposition(text, format, () => undefined);
    return true;
  } catch (error) {
    assert.ok(isNephoError(error), String(error));
    assert.ok(['parse_error', 'too_large'].includes(error.code));
    if (error.code === 'parse_error') {
      assert.ok(Number(error.context.line) >= 1 && Number(error.context.column) >= 1);
    }
    return false;
  }
}
