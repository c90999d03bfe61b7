import assert from 'node:assert/strict';
import test from 'node:test';
import { isNephoError } from '../../meters/errors.ts';
import { DEFAULT_EXPOSITION_LIMITS, readExposition } from '../../meters/exposition.ts';
import type { ExpositionFormat } from '../../meters/exposition_family.ts';
import type { ExpositionSample } from '../../meters/exposition_series.ts';
import { type ExpositionFamily, meterTypeOf } from '../../meters/exposition_type.ts';

function read(
  text: string,
  format: ExpositionFormat = 'prometheus',
): (ExpositionSample & { family: ExpositionFamily })[] {
  const found: (ExpositionSample & { family: ExpositionFamily })[] = [];
  readExposition(text, format, (sample, family) => found.push({ ...sample, family }));
  return found;
}

/** `line:column: problem`. */
function faultOf(text: string, format: ExpositionFormat = 'prometheus'): string {
  try {
    read(text, format);
  } catch (error) {
    if (!isNephoError(error) || error.code !== 'parse_error') throw error;
    const problem = error.message.replace(/^.*?column \d+: /, '');
    return `${String(error.context.line)}:${String(error.context.column)}: ${problem}`;
  }
  throw new Error('no fault was found');
}

test('text format: the example of its documentation is read whole', () => {
  const found = read(`# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
`);
  assert.deepEqual(
    found.map(({ name, family, value, timestampMicros }) => [
      name,
      family.type,
      value,
      timestampMicros,
    ]),
    [
      ['http_requests_total', 'counter', '1027', 1_395_066_363_000_000n],
      ['http_requests_total', 'counter', '3', 1_395_066_363_000_000n],
      ['msdos_file_access_time_seconds', 'unknown', '1.458255915e9', null],
      ['metric_without_timestamp_and_labels', 'unknown', '12.47', null],
      ['something_weird', 'unknown', '+Inf', -3_982_045_000n],
      ['http_request_duration_seconds_bucket', 'histogram', '24054', null],
      ['http_request_duration_seconds_bucket', 'histogram', '144320', null],
      ['http_request_duration_seconds_sum', 'histogram', '53423', null],
      ['http_request_duration_seconds_count', 'histogram', '144320', null],
    ],
  );
  assert.deepEqual([...found[2]?.labels ?? []], [
    ['path', 'C:\\DIR\\FILE.TXT'],
    ['error', 'Cannot find file:\n"FILE.TXT"'],
  ]);
  assert.equal(found[0]?.family.help, 'The total number of HTTP requests.');
});

test('text format: blanks, tabs, line ends of Windows and a last comma do no harm', () => {
  const found = read(
    '\r\n\t# a comment\n#TYPE a counter\n# TYPE  a   gauge \r\n  a { b = "1" , c="2" , }\t5 \t 7 \r\na{}6\n',
  );
  assert.deepEqual(
    found.map(({ labels, value, family }) => [[...labels], value, family.type]),
    [[[['b', '1'], ['c', '2']], '5', 'gauge'], [[], '6', 'gauge']],
  );
});

test('OpenMetrics: types, units, exemplars and fractions of a second are kept', () => {
  const found = read(
    `# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
# HELP acme_http_router_request_seconds Latency through all of "ACME's" \\\\ routers.
acme_http_router_request_seconds_sum{path="/api/v1",method="GET"} 9036.32
acme_http_router_request_seconds_created{path="/api/v1",method="GET"} 1605281325.0
# TYPE go_goroutines gauge
go_goroutines 69
# TYPE foo histogram
foo_bucket{le="0.01"} 0 # {} 0.054
foo_bucket{le="+Inf"} 8 1520879607.789 # {trace_id="Ko",b="}"} 67 1520879607.7891236
# TYPE bar info
bar_info{version="1"} 1
# TYPE baz stateset
baz{baz="on"} 1
# TYPE b counter
b_total 18446744073709551617
# TYPE g gaugehistogram
g_bucket{le="+Inf"} 4
g_gcount 4
g_gsum -1e-3
# TYPE u unknown
u Inf -0.5
# EOF
`,
    'openmetrics',
  );
  assert.equal(found[0]?.family.unit, 'seconds');
  assert.equal(found[0]?.family.help, `Latency through all of "ACME's" \\ routers.`);
  assert.deepEqual(found.map((sample) => meterTypeOf(sample.name, sample.family)), [
    'cumulative',
    'gauge',
    'gauge',
    'cumulative',
    'cumulative',
    'gauge',
    'gauge',
    'cumulative',
    'gauge',
    'gauge',
    'gauge',
    'gauge',
  ]);
  assert.deepEqual(found[4]?.exemplar, {
    labels: new Map([['trace_id', 'Ko'], ['b', '}']]),
    value: '67',
    timestampMicros: 1_520_879_607_789_123n,
  });
  assert.equal(found[4]?.timestampMicros, 1_520_879_607_789_000n);
  assert.equal(found[7]?.value, '18446744073709551617');
  assert.deepEqual([found[11]?.value, found[11]?.timestampMicros], ['+Inf', -500_000n]);
});

test('names in quotes, of the newer formats, are read in both', () => {
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const found = read(
      `# TYPE "my.metric" gauge\n{"my.metric","läbel.1"="x",b="y"} 1\nplain{"q l"="z"} 2\n# EOF\n`,
      format,
    );
    assert.deepEqual(found.map(({ name, labels, family }) => [name, [...labels], family.type]), [
      ['my.metric', [['läbel.1', 'x'], ['b', 'y']], 'gauge'],
      ['plain', [['q l', 'z']], 'unknown'],
    ]);
  }
});

test('text format: each fault has its place', () => {
  const cases: [string, string][] = [
    ['<html>\n', "1:1: expected the name of a metric, found '<html>'"],
    ['a 1\nb 2', '2:4: the text breaks off: its last line has no end'],
    ['a{b="1" 2\n', "1:9: expected ',' or '}' after a label, found '2'"],
    ['a{b="1} 2\n', "1:5: a '\"' is not closed"],
    ['a{b=1} 2\n', "1:5: expected '\"', found '1} 2'"],
    ['a{b="1",b="2"} 1\n', "1:9: the label 'b' stands twice"],
    ['a{__name__="c"} 1\n', "1:3: the label '__name__' is reserved"],
    ['a{"c"} 1\n', "1:6: expected '=' after the label 'c', found '} 1'"],
    ['{b="c"} 1\n', '1:8: the braces hold no name of a metric'],
    ['a 0x1p-2\n', "1:3: expected a number, found '0x1p-2'"],
    ['a 1_000\n', "1:3: expected a number, found '1_000'"],
    ['a\n', "1:2: expected a number, found ''"],
    ['a 1 1.5\n', '1:5: expected a timestamp of whole milliseconds, or the end of the line'],
    ['a 1 1 1\n', "1:7: expected the end of the line, found '1'"],
    ['a 1\n# TYPE a gauge\n', '2:10: a TYPE follows the samples of its metric'],
    ['# TYPE a gauge\n# TYPE a counter\n', '2:10: a metric has a second TYPE'],
    ['# TYPE a number\n', "1:10: 'number' is no type"],
  ];
  for (const [text, fault] of cases) assert.equal(faultOf(text), fault, JSON.stringify(text));
});

test('OpenMetrics: each fault has its place', () => {
  const cases: [string, string][] = [
    ['a 1\n', "2:1: the text breaks off: '# EOF' is missing"],
    ['a 1\n# EO', "2:1: the text breaks off: '# EOF' is missing"],
    ['# EOF\n\n', "2:1: a line follows '# EOF'"],
    ['# EOF\na', "2:1: a line follows '# EOF'"],
    ['a 1\n\n# EOF\n', '2:1: expected the name of a metric, found the end of the line'],
    ['# a comment\n# EOF\n', "1:1: expected '# TYPE', '# HELP', '# UNIT' or '# EOF'"],
    ['# TYPE a\n# EOF\n', '1:9: expected a blank after the name, found the end of the line'],
    ['a  1\n# EOF\n', "1:3: expected a number, found ''"],
    ['a 1 \n# EOF\n', '1:5: expected a timestamp in seconds'],
    ['a 1\r\n# EOF\r\n', "1:3: expected a number, found '1\r'"],
    ['# TYPE a counter\na 1\n# EOF\n', "2:1: 'a' is no sample of a counter"],
    ['a 1\nb 1\na 2\n# EOF\n', "3:1: the lines of the metric 'a' do not stand together"],
    ['a 1\n# HELP a x\n# EOF\n', '2:10: a HELP follows the samples of its metric'],
    ['# HELP a x\n# HELP a x\n# EOF\n', '2:10: a metric has a second HELP'],
    ['# UNIT a b\n# EOF\n', "1:10: the metric's name does not end in its unit 'b'"],
    ['# TYPE a untyped\n# EOF\n', "1:10: 'untyped' is no type"],
    [
      'a 1 # {b="c"}\n# EOF\n',
      '1:14: expected a blank before the value of the exemplar, found the end of the line',
    ],
    ['a 1 # {"b"} 1\n# EOF\n', "1:11: expected '=' after the label 'b', found '} 1'"],
    ['a 1 NaN\n# EOF\n', '1:5: expected a timestamp in seconds'],
  ];
  for (const [text, fault] of cases) {
    assert.equal(faultOf(text, 'openmetrics'), fault, JSON.stringify(text));
  }
});

test('what is too large is refused as such, before it is kept', () => {
  const limits = {
    ...DEFAULT_EXPOSITION_LIMITS,
    maxLength: 200,
    maxLineLength: 50,
    maxSamples: 3,
    maxFamilies: 2,
    maxLabels: 2,
  };
  const cases: [string, string, RegExp][] = [
    ['a 1\n'.repeat(51), 'too_large', /more than 200 characters/],
    [`a ${' '.repeat(50)}1\n`, 'too_large', /a line has more than 50/],
    ['a '.repeat(30), 'too_large', /a line has more than 50/],
    ['a 1\n'.repeat(4), 'too_large', /more than 3 samples/],
    ['a 1\nb 1\nc 1\n', 'parse_error', /more than 2 metrics/],
    ['a{a="",b="",c=""} 1\n', 'parse_error', /more than 2 labels/],
  ];
  for (const [text, code, message] of cases) {
    assert.throws(
      () => readExposition(text, 'prometheus', () => undefined, limits),
      (error) => isNephoError(error) && error.code === code && message.test(error.message),
    );
  }
});
