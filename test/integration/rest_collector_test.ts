import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import type { ServerResponse } from 'node:http';
import { type CloudAnswer, type CloudRequest, send } from '../support/misbehaving_cloud.ts';
import { answerPollsters } from '../support/pollster_answers.ts';
import { pollAll, startRestWorld } from '../support/rest_world.ts';

function pollster(lines: string, path = '/service/things'): string {
  return `- name: thing
  sample_type: gauge
  unit: thing
  value_attribute: n
  endpoint_type: volumev3
  url_path: ${path}
${lines.replace(/^/gm, '  ')}
`;
}

/** What the first pollster of a file gives against a service that answers so. */
async function polled(text: string, answer: (request: CloudRequest) => CloudAnswer) {
  await using world = await startRestWorld(answer);
  const [collector] = world.collectors(text);
  assert.ok(collector !== undefined);
  const [result] = await pollAll(collector, world.context);
  assert.ok(result !== undefined);
  const volumes = result.readings.map(({ resource_id, volume }) => `${resource_id}=${volume}`);
  return { ...result, volumes, world, asked: world.cloud.asked, context: world.context };
}

function raw(body: string, type: string, status = 200) {
  return (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': type });
    response.end(body);
  };
}

const NEXT = pollster('next_sample_url_attribute: next');

test('pages follow one another, by whole links and by relative ones, to the end', async () => {
  const { volumes, asked } = await polled(NEXT, ({ path, origin }) => {
    const page = Number(/page=(\d)/.exec(path)?.[1] ?? '0');
    const link = page % 2 === 0 ? `${origin}/service/things` : '/service/things';
    return { things: [{ id: page, n: page }], next: page < 3 ? `${link}?page=${page + 1}` : '' };
  });
  assert.deepEqual(volumes, ['0=0', '1=1', '2=2', '3=3']);
  assert.equal(asked.length, 4);
});

test('pages that lead back end as a loop, and what was read before is kept', async () => {
  const { volumes, failures } = await polled(NEXT, ({ path }) => {
    const first = !path.includes('page');
    return {
      things: [{ id: first ? 'a' : 'b', n: 1 }],
      next: '/service/things?page=1',
    };
  });
  assert.deepEqual(volumes, ['a=1', 'b=1']);
  assert.match(failures.join(), /^paging_loop: .*after 2 pages/);
});

test('no link and no redirect takes the token to another origin', async () => {
  const strangers: string[] = [];
  const stranger = createServer((request, response) => {
    strangers.push(request.url ?? '');
    response.end('{}');
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const elsewhere = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/x`;
  try {
    const linked = await polled(NEXT, () => ({ things: [{ id: 'a', n: 1 }], next: elsewhere }));
    assert.deepEqual(linked.volumes, ['a=1']);
    assert.match(linked.failures.join(), /^redirected: /);
    const redirected = await polled(NEXT, () => (response) => {
      response.writeHead(302, { location: elsewhere });
      response.end();
    });
    assert.match(redirected.failures.join(), /^redirected: /);
    assert.deepEqual(strangers, []);
  } finally {
    stranger.close();
  }
});

test('an answer that is none has its reason', async () => {
  const cases: [CloudAnswer, RegExp][] = [
    [raw('<html><body>Log in</body></html>', 'text/html'), /^parse_error: .*HTML/],
    [raw('<html>Log in', 'application/json'), /^parse_error: /],
    [raw('{"things": [{"id": "a", "n":', 'application/json'), /^parse_error: /],
    [{ error: { code: 500, message: 'no' } }, /^error_in_body: .*no/],
    [{ other: 1 }, /^parse_error: .*no key 'things'/],
    [{ things: 5 }, /^parse_error: .*no list/],
    [{ things: null }, /^parse_error: .*no list/],
    [raw('5', 'application/json'), /^parse_error: /],
    [(response) => send(response, {}, 503), /^server_error: /],
    [(response) => send(response, {}, 403), /^forbidden: /],
  ];
  for (const [answer, reason] of cases) {
    const { failures } = await polled(pollster('response_entries_key: things'), () => answer);
    assert.match(failures.join(), reason);
  }
  assert.deepEqual((await polled(pollster(''), () => ({}))).failures, []);
});

test('one entry that is not as it should be does not take the others along', async () => {
  const { volumes, failures, context } = await polled(pollster(''), () => ({
    things: [
      { id: 'a', n: 1 },
      'no object',
      { n: 3 },
      { id: 'b' },
      { id: 'c', n: 'many' },
      { id: 'd', n: [1] },
      { id: { x: 1 }, n: 1 },
      { id: 'e', n: null },
      { id: 'f', n: ' 1e3 ' },
      { id: 12345678901234, n: true },
    ],
  }));
  assert.deepEqual(volumes, ['a=1', 'f=1000', '12345678901234=1']);
  assert.deepEqual(failures.map((each) => each.replace(/: .*/, '')), [
    '(entry 2) parse_error',
    '(entry 3) parse_error',
    'b value_invalid',
    'c value_invalid',
    'd value_invalid',
    '(entry 7) parse_error',
    'e value_invalid',
  ]);
  assert.deepEqual(context.remarks.map(({ code, unit }) => [code, unit]), [[
    'number_as_text',
    'f',
  ]]);
});

test('numbers are exact, also beyond what a double holds', async () => {
  const { volumes } = await polled(
    pollster('').replace('value_attribute: n', 'value_attribute: n | value + 1'),
    () =>
      raw(
        '{"things": [{"id": "a", "n": 18446744073709551615}, {"id": "b", "n": 0.1000000000000000000001}]}',
        'application/json',
      ),
  );
  assert.deepEqual(volumes, ['a=18446744073709551616', 'b=1.1000000000000000000001']);
});

test('a text answer is one entry, its last handler being asked last', async () => {
  const text = pollster(
    'response_handlers: [json, xml, text]\nresource_id_attribute: out | value.split()[-1]',
  ).replace('value_attribute: n', 'value_attribute: out | value.split()[0] | float(value)');
  const { volumes } = await polled(text, () => raw('0.25 0.50 host-1\n', 'text/plain'));
  assert.deepEqual(volumes, ['host-1=0.25']);
});

test('an XML document type, and so an entity of its own, is not accepted', async () => {
  const bomb = '<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><things><id>&b;</id></things>';
  const { failures } = await polled(
    pollster('response_handlers: [xml]'),
    () => raw(bomb, 'application/xml'),
  );
  assert.match(failures.join(), /^parse_error: .*document type/);
  const empty = await polled(
    pollster('response_handlers: [xml]'),
    () => raw('<things/>', 'text/xml'),
  );
  assert.deepEqual([empty.failures, empty.volumes], [[], []]);
});

test('the headers of a pollster are sent, and its timeout holds', async () => {
  const headers: unknown[] = [];
  const text = pollster('headers:\n  OpenStack-API-Version: compute 2.65\ntimeout: 0.2');
  const { failures } = await polled(text, (request) => {
    headers.push(request.headers['openstack-api-version']);
    return () => {};
  });
  assert.deepEqual(headers, ['compute 2.65']);
  assert.match(failures.join(), /^timeout: .*0\.2 s/);
});

test('pollsters that ask the same are fed by one listing', async () => {
  await using world = await startRestWorld(() => ({ things: [{ id: 'a', n: 1, m: 2 }] }));
  const second = pollster('').replace('name: thing', 'name: other').replace(
    'value_attribute: n',
    'value_attribute: m',
  );
  const third = pollster('headers: { x-version: "2" }').replace('name: thing', 'name: third');
  const [collector] = world.collectors(pollster('') + second + third);
  const names = collector?.pollsters.map(({ discovery }) => discovery) ?? [];
  assert.equal(names[0], names[1]);
  assert.notEqual(names[0], names[2]);
  assert.match(names[0] ?? '', /^rest:volumev3#[0-9a-f]{12}$/);
});

const EXTRA = `- name: thing
  sample_type: gauge
  unit: thing
  value_attribute: n
  endpoint_type: volumev3
  url_path: /service/things
  extra_metadata_fields_skip:
    - value: 3
      metadata: { kind: plain }
  metadata_fields: [kind, owner]
  extra_metadata_fields:
    name: owner_name
    endpoint_type: identity
    url_path: "'/identity/v3/users/' + sample['owner']"
    value: name
    metadata_fields: [mail, kind]
    extra_metadata_fields:
      - name: domain_name
        endpoint_type: identity
        url_path: "'/identity/v3/domains/' + sample['domain_id']"
        value: name
`;

test('metadata of other endpoints is asked for once in its time, and what is missing is told', async () => {
  await using world = await startRestWorld(({ path }) => {
    if (path === '/service/things') {
      return {
        things: [
          { id: 'a', n: 1, owner: 'u1', kind: 'x' },
          { id: 'b', n: 2, owner: 'u1' },
          { id: 'c', n: 3, owner: 'u1', kind: 'plain' },
          { id: 'd', n: 4, owner: 'u2' },
          { id: 'e', n: 5 },
        ],
      };
    }
    if (path === '/identity/v3/users/u1') {
      return { user: { name: 'One', mail: 'm', kind: 'user', domain_id: 'd1' } };
    }
    if (path === '/identity/v3/domains/d1') return { domain: { name: 'D' } };
    return (response) => send(response, {}, 404);
  });
  const [collector] = world.collectors(EXTRA);
  assert.ok(collector !== undefined);
  const [result] = await pollAll(collector, world.context);
  assert.deepEqual(result?.failures, []);
  const found = { owner_name: 'One', mail: 'm', domain_name: 'D' };
  assert.deepEqual(result?.readings.map(({ metadata }) => metadata), [
    { ...found, kind: 'x', owner: 'u1' },
    { ...found, kind: 'user', owner: 'u1' },
    { kind: 'plain', owner: 'u1' },
    { owner: 'u2' },
    {},
  ]);
  assert.deepEqual(world.context.remarks.map(({ code, unit }) => [code, unit]), [
    ['metadata_missing', 'd'],
    ['metadata_missing', 'e'],
  ]);
  await pollAll(collector, world.context);
  const asked = world.cloud.asked.filter((path) => path.includes('/identity/'));
  assert.deepEqual(asked, [
    '/identity/v3/users/u1',
    '/identity/v3/domains/d1',
    '/identity/v3/users/u2',
  ]);
});

const FOREIGN = `- name: usage
  sample_type: cumulative
  unit: request
  value_attribute: total.ops
  url_path: "@/admin/usage"
  response_entries_key: summary
  user_id_attribute: user
  project_id_attribute: user
  resource_id_attribute: user
`;

test('an API that is no service is told who asks: S3, basic and bearer', async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    send(response, { summary: [{ user: 'u', total: { ops: 7 } }] });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using world = await startRestWorld(answerPollsters);
  const authentications = {
    gateway: { type: 's3', access_key_env: 'ACCESS', secret_key_env: 'SECRET' },
    user: { type: 'basic', username: 'me', password_env: 'TOKEN' },
    token: { type: 'bearer', token_env: 'TOKEN' },
  } as const;
  const kinds = [
    '  authentication: gateway\n',
    '  authentication: user\n',
    '  authentication: token\n',
    '  authentication: none\n',
    '  module: awsauth\n  authentication_object: S3Auth\n  authentication_parameters: "AK, SK,rgw.example"\n',
  ];
  try {
    for (const kind of kinds) {
      const [inCloud, local] = world.collectors(FOREIGN.replace('@', url) + kind, {
        authentications,
      });
      assert.deepEqual(inCloud?.pollsters, []);
      assert.ok(local !== undefined);
      const [result] = await pollAll(local, world.context);
      assert.deepEqual(result?.readings.map(({ volume }) => volume), ['7']);
    }
    assert.deepEqual(seen.map((each) => each?.replace(/:\S{27}=$/, ':…')), [
      'AWS AKIAIOSFODNN7EXAMPLE:…',
      `Basic ${btoa('me:abc.def')}`,
      'Bearer abc.def',
      undefined,
      'AWS AK:…',
    ]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a secret that Barbican keeps is not asked for where the catalogue has no Barbican', async () => {
  await using world = await startRestWorld(answerPollsters);
  const kind = '  module: awsauth\n  authentication_object: S3Auth\n  barbican_secret_id: 0b-1\n';
  const [inCloud, local] = world.collectors(FOREIGN.replace('@', 'http://127.0.0.1:9') + kind);
  assert.deepEqual(local?.pollsters, []);
  assert.ok(inCloud !== undefined);
  const [result] = await pollAll(inCloud, world.context);
  assert.match(result?.failures.join() ?? '', /^service_absent: .*key-manager/);
});

test('a command runs only if it is allowed word by word, and without a shell', async () => {
  await using world = await startRestWorld(answerPollsters);
  const text = `- name: words
  sample_type: gauge
  unit: word
  value_attribute: out | len(value.split())
  host_command: printf '%s %s;' "a b" '$(id)'
  response_handlers: [text]
  resource_id_attribute: out
  next_sample_url_attribute: next
- name: pages
  sample_type: gauge
  unit: page
  value_attribute: n
  host_command: >-
    printf %s '{"things": [{"id": "a", "n": 1}], "next": "two words"}'
  next_sample_url_attribute: next | "printf --option=" + value
`;
  const host_commands = [`printf '%s %s;' 'a b' '$(id)'`, `printf %s {}`];
  const [, local] = world.collectors(text, { host_commands });
  assert.ok(local !== undefined);
  const [words, pages] = await pollAll(local, world.context);
  assert.deepEqual(words?.readings.map(({ resource_id, volume }) => [resource_id, volume]), [
    ['a b $(id);', '3'],
  ]);
  assert.deepEqual(pages?.readings.map(({ volume }) => volume), ['1']);
  assert.match(pages?.failures.join() ?? '', /^command_failed: .*none of the host_commands/);
});
