import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { isNephoError } from '../../meters/errors.ts';
import { readExposition } from '../../meters/exposition.ts';
import type { ExpositionFormat } from '../../meters/exposition_family.ts';
import { expositions, writeExposition } from '../support/exposition_texts.ts';
import { prometheusSkipReason, promtoolTakes } from '../support/prometheus.ts';

// What prom-client writes is read; what Prometheus' own parser takes is taken.

const SEED = 20_261_123;
const NASTY = 'a "quoted" \\ text,\nwith {braces} = and ü😀';

function values(text: string, format: ExpositionFormat): Map<string, string> {
  const found = new Map<string, string>();
  readExposition(text, format, ({ name, labels, value }, family) => {
    const key = `${family.type} ${name} ${JSON.stringify([...labels].sort(byName))}`;
    assert.ok(!found.has(key), key);
    found.set(key, value);
  });
  return found;
}

function byName([left]: [string, string], [right]: [string, string]): number {
  return left < right ? -1 : 1;
}

for (const format of ['prometheus', 'openmetrics'] as const) {
  test(`${format}: what prom-client writes is read with its values`, async () => {
    const type = format === 'openmetrics'
      ? Registry.OPENMETRICS_CONTENT_TYPE
      : Registry.PROMETHEUS_CONTENT_TYPE;
    const registry: Registry<typeof type> = new Registry();
    registry.setContentType(type);
    const registers = [registry];
    new Counter({ name: 'seen_total', help: NASTY, labelNames: ['what'], registers })
      .inc({ what: NASTY }, 9_007_199_254_740_991);
    const gauge = new Gauge({ name: 'level', help: 'h', labelNames: ['of'], registers });
    gauge.set({ of: 'nan' }, NaN);
    gauge.set({ of: 'inf' }, -Infinity);
    gauge.set({ of: 'small' }, 5e-324);
    new Histogram({ name: 'took', help: 'h', buckets: [0.1, 1], registers }).observe(0.5);
    new Summary({ name: 'size', help: 'h', percentiles: [0.5], registers }).observe(3);
    const text = await registry.metrics();

    assert.deepEqual(
      values(text, format),
      new Map([
        [`counter seen_total ${JSON.stringify([['what', NASTY]])}`, '9007199254740991'],
        ['gauge level [["of","nan"]]', 'NaN'],
        ['gauge level [["of","inf"]]', '-Inf'],
        ['gauge level [["of","small"]]', '5e-324'],
        ['histogram took_bucket [["le","0.1"]]', '0'],
        ['histogram took_bucket [["le","1"]]', '1'],
        ['histogram took_bucket [["le","+Inf"]]', '1'],
        ['histogram took_sum []', '0.5'],
        ['histogram took_count []', '1'],
        ['summary size [["quantile","0.5"]]', '3'],
        ['summary size_sum []', '3'],
        ['summary size_count []', '1'],
      ]),
    );
  });
}

test("whole and damaged texts: what Go's own parser takes is read", {
  skip: prometheusSkipReason(),
}, () => {
  const damaged = fc.tuple(
    expositions('prometheus'),
    fc.nat(),
    fc.constantFrom('', '', ' ', '\t', '\n', '#', '"', '{', '}', ',', '=', '1', 'a', '.', '-', 'N'),
    fc.nat(2),
  ).map(([families, at, inserted, removed]) => {
    const text = writeExposition(families, 'prometheus');
    const place = at % (text.length + 1);
    return text.slice(0, place) + inserted + text.slice(place + removed);
  });
  let taken = 0;
  for (const text of fc.sample(damaged, { numRuns: 60, seed: SEED })) {
    const fault = faultOf(text);
    if (!promtoolTakes(text)) continue;
    taken += 1;
    assert.equal(fault, null, text);
  }
  assert.ok(taken > 15, `only ${taken} texts were taken`);
});

function faultOf(text: string): string | null {
  try {
    readExposition(text, 'prometheus', () => undefined);
    return null;
  } catch (error) {
    if (isNephoError(error)) return error.message;
    throw error;
  }
}
