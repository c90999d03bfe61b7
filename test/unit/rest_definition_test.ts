import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { createRestCollector } from '../../collectors/rest/collector.ts';
import { identified } from '../../collectors/rest/rest_pages.ts';
import { commandWords, isAllowedCommand } from '../../collectors/rest/command_words.ts';
import { Credentials } from '../../collectors/rest/credentials.ts';
import { compileRestDefinitions, type RestFile } from '../../collectors/rest/definition_compile.ts';
import { areEqualJson, holds, mapped } from '../../collectors/rest/json_equality.ts';
import { loadRestDefinitions } from '../../collectors/rest/load_definitions.ts';
import { signS3 } from '../../collectors/rest/s3_signature.ts';
import { restSettingsSchema } from '../../collectors/rest/settings_schema.ts';
import { readXmlValue } from '../../collectors/rest/xml_values.ts';
import { compileAttribute } from '../../meters/expression_attribute.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import { isNephoError } from '../../meters/errors.ts';
import { ExactNumber, type JsonValue } from '../../meters/json.ts';
import { isGapReason } from '../../meters/poll_gap.ts';
import { isCanonicalQuantity } from '../../meters/quantity.ts';
import { isStorableText } from '../../meters/storable_text.ts';
import { recordingPollContext } from '../support/recording_poll_context.ts';

const SETTINGS = restSettingsSchema.parse({
  host_commands: ['uptime', 'get-vm --vm-name {}'],
  authentications: { gateway: { type: 's3', access_key_env: 'A', secret_key_env: 'S' } },
});

function file(text: string, changes: Partial<RestFile> = {}): RestFile {
  return { name: 'p.yaml', text, isPrivate: false, ...changes };
}

const SOUND = `- name: thing
  sample_type: gauge
  unit: thing
  value_attribute: n
  endpoint_type: compute
  url_path: v2.1/things
`;

/** Faults of one definition, which is sound but for what is changed. */
function faultsOf(changes: string, sound = SOUND): string[] {
  const compiled = compileRestDefinitions(
    [file(sound + changes.replace(/^(?=.)/gm, '  '))],
    SETTINGS,
  );
  return compiled.ok ? [] : compiled.faults.map(formatFault);
}

function without(key: string): string {
  if (key === 'name') return SOUND.replace('- name: thing\n ', '-');
  return SOUND.replace(new RegExp(`  ${key}: .*\\n`), '');
}

test('a fault has its line, column and remedy', () => {
  const cases: [changes: string, fault: RegExp][] = [
    [
      'skip_sample_values: 5\nvalue_mapping: [1]',
      /^p\.yaml:8:18: value_invalid: 'value_mapping' is no mapping/,
    ],
    [
      'metadata_fields: [a, "b | value.encode()"]',
      /^p\.yaml:7:35: expression_invalid: .*no method 'encode'.*Use one of/,
    ],
    [
      'resource_id_attribute: "user | json.loads(value)"',
      /^p\.yaml:7:34: expression_invalid: .*'json'.*response_handlers/,
    ],
    [
      'response_entries_key: "a | upper()"',
      /^p\.yaml:7:29: expression_invalid: .*does not use 'value'/,
    ],
    ['response_handlers: [json, yaml]', /^p\.yaml:7:22: value_invalid: .*json, xml, text/],
    ['timeout: 0', /^p\.yaml:7:12: value_invalid: 'timeout'/],
    ['preserve_mapped_metadata: 3', /^p\.yaml:7:29: value_invalid/],
    ['headers: { X-Auth-Token: abc }', /not_allowed: The header 'X-Auth-Token' is set by nepho/],
    ['headers: { Authorization: abc }', /not_allowed: .*chmod 600/],
    ['headers: { "a b": c }', /value_invalid: 'a b' is no header/],
    ['host_command: uptime', /key_unknown: 'endpoint_type' stands beside host_command/],
    ['module: awsauth\nauthentication_object: S3Auth', /key_missing: .*authentication: name/],
    [
      'module: mine\nauthentication_object: Auth',
      /not_allowed: The Python class 'mine\.Auth' cannot be loaded/,
    ],
    ['authentication: nobody', /value_invalid: There is no authentication 'nobody'/],
    ['authentication: gateway', /key_unknown: 'endpoint_type'/],
    ['extra_metadata_fields_skip: [5]', /value_invalid: .*no mapping/],
    ['extra_metadata_fields:\n  - name: x', /key_missing: The pollster 'x' has no 'url_path'/],
    [
      "extra_metadata_fields:\n  - name: x\n    endpoint_type: identity\n    url_path: \"'/v3/' + request['x']\"\n    value: name",
      /^p\.yaml:10:27: expression_invalid: .*'request'.*'sample'/,
    ],
    [
      'extra_metadata_fields:\n  - name: x\n    endpoint_type: identity\n    url_path: f"/v3/{sample}"\n    value: name',
      /expression_invalid: .*f-string/,
    ],
    ['- 5', /yaml_invalid/],
  ];
  for (const [changes, fault] of cases) assert.match(faultsOf(changes).join('\n'), fault, changes);
  for (const key of ['sample_type', 'unit', 'value_attribute', 'url_path', 'endpoint_type']) {
    assert.match(faultsOf('', without(key)).join('\n'), new RegExp(`key_missing: .* '${key}'`));
  }
  assert.match(faultsOf('', without('name')).join(), /key_missing: A pollster has no 'name'/);
});

test('what is more than a name, a type or a path is refused where it is not one', () => {
  const replaced = (from: string, to: string) => faultsOf('', SOUND.replace(from, to)).join('\n');
  assert.match(replaced('name: thing', 'name: a b'), /no name of a pollster/);
  assert.match(replaced('name: thing', 'name: a.{x}'), /Write '\[list\]\.field'/);
  assert.match(replaced('gauge', 'Gauge'), /type_invalid: .*gauge, delta, cumulative/);
  assert.match(replaced('v2.1/things', 'http://evil/x'), /not_allowed: .*token must not go/);
  const foreign = (url: string) =>
    faultsOf(
      `authentication: none\nurl_path: ${url}`,
      without('url_path').replace('  endpoint_type: compute\n', ''),
    ).join('\n');
  assert.match(foreign('v2.1/things'), /'url_path' is no URL/);
  assert.match(foreign('http://me:word@host/'), /not_allowed: .*user or password/);
  assert.equal(foreign('https://host/x'), '');
});

test('all faults of all files are told at once, and no definition is used', () => {
  const files = [
    file(SOUND.replace('gauge', 'x') + SOUND.replace('unit: thing', 'unit:'), { name: 'a.yaml' }),
    file('metric: []', { name: 'b.yaml' }),
    file('- [', { name: 'c.yaml' }),
    file('', { name: 'empty.yaml' }),
    file(SOUND.replace('name: thing', 'name: good'), { name: 'd.yaml' }),
  ];
  const compiled = compileRestDefinitions(files, SETTINGS);
  assert.equal(compiled.ok, false);
  const faults = compiled.ok ? [] : compiled.faults;
  assert.deepEqual(faults.map((fault) => `${fault.file}:${fault.line} ${fault.code}`), [
    'a.yaml:2 type_invalid',
    'a.yaml:7 key_missing',
    'b.yaml:1 definition_invalid',
    'c.yaml:1 yaml_invalid',
  ]);
});

test('what Ceilometer passes over in silence is a warning', () => {
  const files = [
    file(`${SOUND}  value_maping: { a: 1 }\n`),
    file(SOUND, { name: 'q.yaml' }),
    file(SOUND.replace('name: thing', 'name: other') + '  namespaces: compute\n', {
      name: 'r.yaml',
    }),
    file(
      SOUND.replace('name: thing', 'name: x.{k}').replace('attribute: n', "attribute: '[l].n'") +
        '  value_mapping: { a: 1 }\n',
      { name: 's.yaml' },
    ),
  ];
  const compiled = compileRestDefinitions(files, SETTINGS);
  assert.ok(compiled.ok);
  assert.deepEqual(compiled.definitions.map(({ name }) => name), ['thing', 'x.{k}']);
  assert.deepEqual(compiled.warnings.map(({ file, code }) => `${file} ${code}`), [
    'p.yaml key_unknown',
    'q.yaml name_duplicate',
    'r.yaml not_allowed',
    's.yaml key_ignored',
  ]);
});

test('a secret may stand in a file that only its owner can read', async () => {
  const text =
    SOUND.replace('endpoint_type: compute', 'module: awsauth').replace('v2.1', 'http://gw') +
    '  authentication_object: S3Auth\n  authentication_parameters: a,b,c\n';
  assert.ok(compileRestDefinitions([file(text, { isPrivate: true })], SETTINGS).ok);
  const refused = compileRestDefinitions([file(text)], SETTINGS);
  assert.match(
    refused.ok ? '' : refused.faults.map(formatFault).join(),
    /not_allowed: .*chmod 600/,
  );
  assert.ok(compileRestDefinitions([file(text.replace('a,b,c', 'gateway'))], SETTINGS).ok);
  const folder = await mkdtemp(path.join(tmpdir(), 'nepho-rest-'));
  try {
    const settings = { ...SETTINGS, definitions_dirs: ['.'] };
    await writeFile(path.join(folder, 'b.yaml'), text, { mode: 0o600 });
    await writeFile(path.join(folder, 'a.yaml'), SOUND);
    await writeFile(path.join(folder, 'off.yaml.disabled'), 'no yaml: [');
    const loaded = await loadRestDefinitions(settings, folder);
    assert.deepEqual(
      loaded.ok && loaded.definitions.map(({ place }) => path.basename(place.file)),
      ['a.yaml'],
    );
    const missing = await loadRestDefinitions(
      { ...settings, definitions_dirs: ['.', 'none'] },
      folder,
    );
    assert.match(
      missing.ok ? '' : missing.faults.map(formatFault).join(),
      /none:1:1: .*cannot be read/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a command is words and never a shell', () => {
  assert.deepEqual(commandWords(`a 'b  c' "d \\"e" f\\ g`), ['a', 'b  c', 'd "e', 'f g']);
  for (
    const text of [
      'a | b',
      'a; b',
      'a && b',
      'a > b',
      'a $(b)',
      'a "$b"',
      'a `b`',
      'a *',
      "a 'b",
      '',
      '  ',
      'a ~',
    ]
  ) {
    assert.throws(() => commandWords(text), { code: 'command_failed' }, text);
  }
  const allowed = [['get-vm', '--vm-name', '{}'], ['uptime']];
  assert.equal(isAllowedCommand(['get-vm', '--vm-name', 'x y'], allowed), true);
  assert.equal(isAllowedCommand(['get-vm', '--vm-name', '--all'], allowed), false);
  assert.equal(isAllowedCommand(['get-vm', '--vm-name'], allowed), false);
  assert.equal(isAllowedCommand(['uptime', '-p'], allowed), false);
  const commands = (text: string) =>
    faultsOf('', SOUND.replace(/ {2}endpoint_type.*\n.*\n/, `  host_command: ${text}\n`));
  assert.deepEqual(commands('uptime'), []);
  assert.match(commands('reboot').join(), /not_allowed: .*host_commands/);
  assert.match(commands('uptime | wc').join(), /value_invalid: .*needs a shell/);
  assert.equal(restSettingsSchema.safeParse({ host_commands: ['a | b'] }).success, false);
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
      const text = words.map((word) => `'${word.replaceAll("'", `'"'"'`)}'`).join(' ');
      assert.deepEqual(commandWords(text), words);
    }),
  );
});

test('a request is signed as the S3 reference signs it', () => {
  const credentials = {
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    server: 's3.us-west-1.amazonaws.com',
  };
  const url = 'https://awsexamplebucket1.s3.us-west-1.amazonaws.com/photos/puppy.jpg';
  const nowMs = Date.parse('2007-03-27T19:36:42Z');
  // The reference's example, with the zone as HTTP writes it; computed by Python's hmac.
  const authorization = 'AWS AKIAIOSFODNN7EXAMPLE:7AbQgM8BIjLxGPGytjyjro07bR4=';
  const date = 'Tue, 27 Mar 2007 19:36:42 GMT';
  assert.deepEqual(signS3(new URL(url), {}, credentials, nowMs), { date, authorization });
  const asked = signS3(new URL(`${url}?prefix=x&acl`), {}, credentials, nowMs);
  assert.notEqual(asked['authorization'], authorization);
  const listed = signS3(new URL(`${url}?prefix=x`), {}, credentials, nowMs);
  assert.equal(listed['authorization'], authorization);
});

test('a secret of Barbican is fetched once and used', async () => {
  const asked: string[] = [];
  const credentials = new Credentials({
    authentications: {},
    secret: () => Promise.reject(new Error('none')),
    nowMs: () => 0,
    session: {
      answer: (service, where) => {
        const url = typeof where === 'string' ? where : where('http://barbican:9311/x');
        asked.push(`${service} ${url}`);
        const body = new TextEncoder().encode('AK, SK ,gw');
        return Promise.resolve({ url, answer: { status: 200, headers: {}, body, receivedMs: 0 } });
      },
    },
  });
  const signal = new AbortController().signal;
  const barbican = { kind: 'barbican', scheme: 's3', secretId: 'id-1' } as const;
  for (let times = 0; times < 2; times += 1) {
    const headers = await credentials.sign(barbican, {
      url: new URL('http://gw/a'),
      headers: {},
      signal,
    });
    assert.match(headers['authorization'] ?? '', /^AWS AK:/);
  }
  assert.deepEqual(asked, ['key-manager http://barbican:9311/v1/secrets/id-1/payload']);
});

test('XML is read as xmltodict reads it', () => {
  assert.deepEqual(readXmlValue('<a><l>1</l><l>2</l><l x="y"> 3 </l><e/><f z="1"/>t</a>'), {
    a: { l: ['1', '2', { '@x': 'y', '#text': '3' }], e: null, f: { '@z': '1' }, '#text': 't' },
  });
});

test('values are compared as Python compares them', () => {
  assert.ok(areEqualJson(1, true) && areEqualJson(new ExactNumber('1.0'), 1));
  assert.ok(!areEqualJson('1', 1) && !areEqualJson(null, false) && !areEqualJson([1], [1, 2]));
  assert.ok(holds({ a: { b: 1, c: 2 } }, { a: { b: 1 } }));
  assert.ok(!holds({ a: { b: 1 } }, { a: { b: 1, c: 2 } }));
  const mapping = new Map([['ACTIVE', '1'], ['2', '3'], ['True', '4'], ['null', '5']]);
  const values = ['ACTIVE', 2, true, null, '2', 'x', 7].map((value) => mapped(mapping, value));
  assert.deepEqual(values, ['1', '3', '4', '5', '3', undefined, undefined]);
});

test('an attribute is keys with dots and operations after pipes', () => {
  const read = (text: string, from: object) =>
    compileAttribute(text).read(JSON.parse(JSON.stringify(from)));
  assert.equal(read('key.subKey | value + 1|value / 2  |  value * 3', { key: { subKey: 1 } }), 3);
  assert.equal(read("a | value.split('|')[1]", { a: 'x|y' }), 'y');
  assert.equal(read('OS-EXT-AZ:zone', { 'OS-EXT-AZ:zone': 'z' }), 'z');
  assert.deepEqual(read('.', { a: 1 }), { a: 1 });
  for (
    const [text, failure] of [['a.b', 'type'], ['b', 'key_missing'], ['a | value[0][0][0]', 'type']]
  ) {
    assert.throws(
      () => read(text ?? '', { a: [1] }),
      (error) => isNephoError(error) && error.context['failure'] === failure,
    );
  }
  assert.throws(() => compileAttribute(' | value'), { code: 'expression_invalid' });
  assert.throws(() => compileAttribute(`a${' | value'.repeat(40)}`), {
    code: 'expression_invalid',
  });
});

test('any file either compiles or has faults, and none does harm', () => {
  const lines = SOUND.split('\n');
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          ...lines,
          '  extra_metadata_fields:',
          '    - name: x',
          '  host_command: uptime',
          '  - a',
          '  base_metadata: *x',
          '  url_path: "\'\' + kind"',
          '  name: {a: 1}',
          '  timeout: [',
          '- null',
        ),
      ),
      (parts) => {
        const compiled = compileRestDefinitions([file(parts.join('\n'))], SETTINGS);
        if (!compiled.ok) assert.ok(compiled.faults.length > 0);
      },
    ),
    { numRuns: 300 },
  );
});

const HOSTILE = `- name: thing
  sample_type: gauge
  unit: thing
  value_attribute: "n | value if isinstance(value, (int, str)) else value['n']"
  endpoint_type: compute
  url_path: /things
  skip_sample_values: [0, skip]
  value_mapping: { a: 1, 2: 3 }
  metadata_fields: [n, "m | str(value)[:10]"]
  user_id_attribute: "u | value.strip()"
- name: each.{k}
  sample_type: gauge
  unit: thing
  value_attribute: "[l].n"
  endpoint_type: compute
  url_path: /things
`;

test('any entry gives readings that can be kept, or a reason of a gap', async () => {
  const compiled = compileRestDefinitions([file(HOSTILE)], SETTINGS);
  assert.ok(compiled.ok);
  const { pollsters } = createRestCollector(compiled.definitions, SETTINGS, {
    session: { answer: () => Promise.reject(new Error('not asked')) },
    http: { request: () => Promise.reject(new Error('not asked')), close: () => Promise.resolve() },
    secret: () => Promise.resolve(''),
    nowMs: () => 0,
  });
  const odd = fc.constantFrom<JsonValue>(
    0,
    1.5,
    1e300,
    new ExactNumber(`1${'0'.repeat(100)}`),
    'a',
    'skip',
    ' 12 ',
    'nan',
    '\0',
    '\ud800',
    '__proto__',
    'x'.repeat(300_000),
    null,
    true,
    [],
    {},
    [1],
    { n: 2 },
  );
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      odd,
      fc.array(tie('value')),
      fc.dictionary(fc.constantFrom('n', 'k', 'id', 'l'), tie('value')),
    ),
  }));
  const entry = fc.dictionary(
    fc.constantFrom('id', 'n', 'm', 'u', 'l', 'project_id', '__proto__'),
    value,
  );
  await fc.assert(
    fc.asyncProperty(entry, async (item) => {
      for (const [at, pollster] of pollsters.entries()) {
        const listing = compiled.definitions[at]?.listing;
        assert.ok(listing !== undefined);
        const context = recordingPollContext();
        const data = identified(item, listing, { place: 1, readAt: context.now() });
        try {
          for (const reading of await pollster.poll({ id: data.resourceId, data }, context)) {
            assert.ok(isCanonicalQuantity(reading.volume));
            assert.ok(isStorableText(reading.resource_id, 255) && reading.resource_id !== '');
            assert.ok(JSON.stringify(reading.metadata).length <= 256 * 1024);
          }
        } catch (error) {
          if (!isNephoError(error)) throw error;
          assert.ok(isGapReason(error.code), error.code);
        }
        for (const { reason } of context.gaps) assert.ok(isGapReason(reason));
      }
    }),
    { numRuns: 500 },
  );
});
