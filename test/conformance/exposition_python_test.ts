import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { readExposition } from '../../meters/exposition.ts';
import type { ExpositionFormat } from '../../meters/exposition_family.ts';
import { expositions, writeExposition } from '../support/exposition_texts.ts';
import { prometheusClientSkipReason } from '../support/prometheus.ts';

// The same texts read by nepho and by prometheus_client, the library that most exporters in Python are
// made with: whole ones must agree, and of damaged ones nepho takes what the strict parser takes.

const SCRIPT = fileURLToPath(new URL('./exposition_texts.py', import.meta.url));
const SEED = 20_261_122;
const skip = prometheusClientSkipReason();

/** Where prometheus_client 0.16 lets pass what OpenMetrics forbids: our words for it. */
const LAXITIES: readonly RegExp[] = [
  // Any character may stand between the labels and the value.
  /expected a blank before the value, found/,
  // Anything may follow the first '#'.
  /expected '# TYPE', '# HELP', '# UNIT' or '# EOF'/,
  // The last brace of the line ends the labels, wherever a quote is left open.
  /a '"' is not closed/,
];

interface Case {
  format: ExpositionFormat;
  text: string;
}
/** A sample with the family's type, as both sides can say it. */
interface Said {
  name: string;
  type: string;
  labels: [string, string][];
  value: string;
  timestamp: string | null;
  exemplar: { labels: [string, string][]; value: string; timestamp: string | null } | null;
}
interface PythonSample {
  name: string;
  labels: Record<string, string>;
  value: string;
  timestamp: string | null;
  exemplar: Omit<PythonSample, 'name' | 'exemplar'> | null;
}
type PythonAnswer = { error: string } | {
  families: { name: string; type: string; unit: string; help: string; samples: PythonSample[] }[];
};

for (const format of ['prometheus', 'openmetrics'] as const) {
  test(`${format}: whole texts are read as prometheus_client reads them`, { skip }, () => {
    const texts = fc.sample(expositions(format), { numRuns: 200, seed: SEED })
      .map((families) => writeExposition(families, format));
    const answers = askPython(texts.map((text) => ({ format, text })));
    texts.forEach((text, i) => {
      const answer = answers[i];
      assert.ok(answer !== undefined && !('error' in answer), `${JSON.stringify(answer)}\n${text}`);
      assert.deepEqual(readHere(text, format), saidByPython(answer), text);
    });
  });
}

test(
  'openmetrics: of damaged texts, what prometheus_client takes is read the same',
  { skip },
  () => {
    const damaged = fc.tuple(
      expositions('openmetrics'),
      fc.nat(),
      fc.constantFrom(
        '',
        '',
        ' ',
        '\n',
        '#',
        '"',
        '\\',
        '{',
        '}',
        ',',
        '=',
        '1',
        'a',
        '.',
        '-',
      ),
      fc.nat(2),
    ).map(([families, at, inserted, removed]) => {
      const text = writeExposition(families, 'openmetrics');
      const place = at % (text.length + 1);
      return text.slice(0, place) + inserted + text.slice(place + removed);
    });
    const texts = fc.sample(damaged, { numRuns: 1_000, seed: SEED });
    const answers = askPython(texts.map((text) => ({ format: 'openmetrics', text })));
    let taken = 0;
    texts.forEach((text, i) => {
      const answer = answers[i];
      if (answer === undefined || 'error' in answer) return;
      taken += 1;
      const here = tryHere(text);
      if ('error' in here) {
        assert.ok(LAXITIES.some((laxity) => laxity.test(here.error)), `${here.error}\n${text}`);
        return;
      }
      assert.deepEqual(here.said, saidByPython(answer), text);
      taken += 1;
    });
    assert.ok(taken > 200, `only ${taken} damaged texts were taken`);
  },
);

function askPython(cases: readonly Case[]): PythonAnswer[] {
  const folder = mkdtempSync(join(tmpdir(), 'nepho-exposition-'));
  try {
    const file = join(folder, 'cases.jsonl');
    writeFileSync(file, cases.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const run = spawnSync('/usr/bin/python3', ['-I', SCRIPT, file], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout: 60_000,
    });
    if (run.status !== 0) throw new Error(`exposition_texts.py failed: ${run.stderr}`);
    return run.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as PythonAnswer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tryHere(text: string): { said: Said[] } | { error: string } {
  try {
    return { said: readHere(text, 'openmetrics') };
  } catch (error) {
    return { error: String(error) };
  }
}

function readHere(text: string, format: ExpositionFormat): Said[] {
  const found: Said[] = [];
  try {
    readExposition(text, format, (sample, family) => {
      const { exemplar } = sample;
      found.push({
        name: sample.name,
        type: family.type,
        labels: sorted([...sample.labels]),
        value: asPython(sample.value),
        timestamp: sample.timestampMicros?.toString() ?? null,
        exemplar: exemplar && {
          labels: sorted([...exemplar.labels]),
          value: asPython(exemplar.value),
          timestamp: exemplar.timestampMicros?.toString() ?? null,
        },
      });
    });
  } catch (error) {
    if (isNephoError(error)) throw new Error(`${error.message}\n${text}`, { cause: error });
    throw error;
  }
  return found;
}

function saidByPython(answer: Exclude<PythonAnswer, { error: string }>): Said[] {
  return answer.families.flatMap(({ type, samples }) =>
    samples.map(({ exemplar, ...sample }) => ({
      ...sample,
      // Its text parser says untyped, its other one unknown.
      type: type === 'untyped' ? 'unknown' : type,
      labels: sorted(Object.entries(sample.labels)),
      value: asPython(sample.value),
      exemplar: exemplar && {
        ...exemplar,
        labels: sorted(Object.entries(exemplar.labels)),
        value: asPython(exemplar.value),
      },
    }))
  );
}

/** Python keeps whole numbers of OpenMetrics exactly and makes doubles of all others. */
function asPython(value: string): string {
  if (/^[+-]?inf$/i.test(value)) return value.startsWith('-') ? '-Inf' : '+Inf';
  return String(Number(value));
}

function sorted(labels: [string, string][]): [string, string][] {
  return labels.sort(([left], [right]) => left < right ? -1 : 1);
}
