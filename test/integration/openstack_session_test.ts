/** The session with a cloud that misbehaves: each fault has its reason, and none goes on for ever. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenStackCollector } from '../../collectors/openstack/collector.ts';
import { createOpenStackSession } from '../../collectors/openstack/session.ts';
import type { ListingCall, Paging } from '../../collectors/openstack/session_interface.ts';
import { isNephoError, type NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import {
  CLOUD_PASSWORD,
  type CloudAnswer,
  type CloudRequest,
  type MisbehavingCloud,
  send,
  startMisbehavingCloud,
} from '../support/misbehaving_cloud.ts';
import { notedCycle } from '../support/openstack_answers.ts';

const VOLUMES = 'block-storage';

interface World {
  cloud: MisbehavingCloud;
  session: ReturnType<typeof createOpenStackSession>;
  clock: { ms: number };
  [Symbol.asyncDispose](): Promise<void>;
}

async function world(
  answer: (request: CloudRequest) => CloudAnswer,
  password = CLOUD_PASSWORD,
): Promise<World> {
  const cloud = await startMisbehavingCloud(answer);
  const clock = { ms: 0 };
  const session = createOpenStackSession('north', cloud.settings, {
    secret: () => Promise.resolve(password),
    readText: () => Promise.reject(new TypeError('no file is named')),
    nowMs: () => Date.now(),
    clockMs: () => clock.ms,
  });
  return {
    cloud,
    session,
    clock,
    async [Symbol.asyncDispose]() {
      await session.close();
      await cloud[Symbol.asyncDispose]();
    },
  };
}

const call = () => ({ signal: new AbortController().signal });
const get = ({ session }: World) => session.get(VOLUMES, '/volumes', call());

async function failure(promise: Promise<unknown>): Promise<NephoError> {
  const error: unknown = await promise.then(() => null, (error: unknown) => error);
  if (isNephoError(error)) return error;
  throw error ?? new Error('it did not fail');
}

async function ids(world: World, paging: Paging, path = '/volumes'): Promise<unknown[]> {
  const found: unknown[] = [];
  const listing: ListingCall = { ...call(), entriesKey: 'volumes', paging };
  for await (const page of world.session.pages(VOLUMES, path, listing)) {
    found.push(...page.map(({ id }) => id));
  }
  return found;
}

test('a session finds a service by its alias, asks with its token, and logs in once', async () => {
  await using here = await world(({ headers }) => ({ version: headers['openstack-api-version'] }));
  const headers = { 'openstack-api-version': 'volume 3.64' };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => here.session.get(VOLUMES, '/volumes', { ...call(), headers })),
  );
  assert.deepEqual(answers[0], { version: 'volume 3.64' });
  assert.equal(here.cloud.asked[0], '/service/volumes');
  assert.equal(here.cloud.logins.length, 1);
  assert.equal(await here.session.projectId(call()), 'p1');
  assert.equal((await failure(here.session.get('dns', '/', call()))).code, 'service_absent');
});

test('a token that is refused is renewed once, for all who had it', async () => {
  await using here = await world(() => ({}));
  await get(here);
  here.cloud.expireTokens();
  here.clock.ms = 60_000;
  await Promise.all(Array.from({ length: 10 }, () => get(here)));
  assert.equal(here.cloud.logins.length, 2);
});

test('a service that refuses every token is told from wrong credentials, and costs one login', async () => {
  await using here = await world(() => (response) => send(response, {}, 401));
  for (let round = 0; round < 5; round += 1) {
    const error = await failure(get(here));
    assert.equal(error.code, 'unauthorised');
    assert.match(error.message, /'block-storage': it refuses a token that Keystone has just given/);
  }
  assert.equal(here.cloud.logins.length, 1);
});

test('wrong credentials are tried once, and then not for five minutes', async () => {
  await using here = await world(() => ({}), 'the wrong one');
  for (let round = 0; round < 20; round += 1) {
    const error = await failure(get(here));
    assert.equal(error.code, 'unauthorised');
    assert.match(error.message, /not tried again for 300 s/);
    const cause = error.cause instanceof Error ? error.cause.message : '';
    assert.doesNotMatch(`${error.message}${cause}${JSON.stringify(error.context)}`, /wrong one/);
  }
  assert.equal(here.cloud.logins.length, 1);
  here.clock.ms = 300_000;
  await failure(get(here));
  assert.equal(here.cloud.logins.length, 2);
});

test('what Keystone answers instead of a token has its reason', async (t) => {
  const faults: [string, Parameters<typeof send>[1], number, string][] = [
    ['an error', { error: { code: 500, message: 'database' } }, 500, 'server_error'],
    ['no v3', { error: { code: 404, message: 'x' } }, 404, 'service_absent'],
    ['no token', { token: null }, 201, 'parse_error'],
  ];
  for (const [name, body, status, code] of faults) {
    await t.test(name, async () => {
      await using here = await world(() => ({}));
      here.cloud.loginFault = (response) => send(response, body, status);
      assert.equal((await failure(get(here))).code, code);
      here.cloud.loginFault = null;
      here.clock.ms = 60_000;
      await get(here);
    });
  }
});

test('what a service answers instead of JSON has its reason', async (t) => {
  const write = (body: string | Uint8Array, headers: Record<string, string> = {}): CloudAnswer =>
  (
    response,
  ) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
  };
  const faults: [string, CloudAnswer, string][] = [
    ['HTML', write('<html>', { 'content-type': 'text/html; charset=utf-8' }), 'parse_error'],
    ['half of it', write('{"volumes": [{"id": "1"'), 'parse_error'],
    ['nothing', write(''), 'parse_error'],
    ['a list', write('[]'), 'parse_error'],
    ['no UTF-8', write(Uint8Array.of(0x7b, 0xff, 0x7d)), 'parse_error'],
    ['a million levels', write('['.repeat(1_000_000)), 'parse_error'],
    ['gzip', write('{}', { 'content-encoding': 'gzip' }), 'parse_error'],
    ['an error', write('{"error": {"message": "no such"}}'), 'error_in_body'],
    ['a fault', write('{"computeFault": {"code": 500, "message": "down"}}'), 'error_in_body'],
    ['NeutronError', write('{"NeutronError": {"message": "x", "type": "y"}}'), 'error_in_body'],
    ['a redirect', (response) => {
      response.writeHead(302, { location: 'http://elsewhere.example/' }).end();
    }, 'redirected'],
    ['404', (response) => send(response, {}, 404), 'resource_gone'],
    ['403', (response) => send(response, {}, 403), 'forbidden'],
  ];
  for (const [name, answer, code] of faults) {
    await t.test(name, async () => {
      await using here = await world(() => answer);
      assert.equal((await failure(get(here))).code, code);
    });
  }
});

test('a number keeps every digit', async () => {
  await using here = await world(() => (response) => {
    response.writeHead(200).end('{"bytes": 18446744073709551615}');
  });
  assert.equal(JSON.stringify(await get(here)), '{"bytes":{"text":"18446744073709551615"}}');
});

/** Seven volumes, three a page at most, in the ways that services page. */
function pagedVolumes({ path, origin }: CloudRequest): JsonObject {
  const query = new URL(path, origin).searchParams;
  const marker = query.get('marker');
  const start = marker === null ? 0 : Number(marker) + 1;
  const limit = Math.min(3, Number(query.get('limit') ?? 3));
  const all = Array.from({ length: 7 }, (_, id) => ({ id: String(id) }));
  const volumes = all.slice(start, start + limit);
  const next = `/service/volumes?marker=${start + limit - 1}&limit=${limit}`;
  const hasMore = start + limit < all.length;
  return {
    volumes,
    ...(hasMore ? { next, volumes_links: [{ rel: 'next', href: origin + next }] } : {}),
  };
}

test('a listing is read to its end in every way that services page', async (t) => {
  const ways: Paging[] = [
    { by: 'link', key: 'next' },
    { by: 'link', key: 'volumes_links' },
    { by: 'marker', limit: 1_000, idKey: 'id' },
    { by: 'marker', limit: 2, idKey: 'id', linksKey: 'volumes_links' },
    { by: 'marker', limit: 3, idKey: 'id', linksKey: 'next' },
  ];
  for (const paging of ways) {
    await t.test(JSON.stringify(paging), async () => {
      await using here = await world(pagedVolumes);
      const found = await ids(here, paging, '/volumes?all_tenants=1');
      assert.deepEqual(found, ['0', '1', '2', '3', '4', '5', '6']);
    });
  }
});

test('pages that lead back, or away, end the listing with a reason', async (t) => {
  const volumes = [{ id: '1' }];
  await t.test('a link to the page itself', async () => {
    await using here = await world(({ path }) => ({ volumes, next: path }));
    const error = await failure(ids(here, { by: 'link', key: 'next' }));
    assert.equal(error.code, 'paging_loop');
    assert.equal(here.cloud.asked.length, 1);
  });
  await t.test('a marker that is ignored', async () => {
    await using here = await world(() => ({ volumes }));
    const error = await failure(ids(here, { by: 'marker', limit: 1, idKey: 'id' }));
    assert.equal(error.code, 'paging_loop');
    assert.equal(here.cloud.asked.length, 2);
  });
  await t.test('another origin', async () => {
    await using here = await world(() => ({ volumes, next: 'http://elsewhere.example/2?key=1' }));
    const error = await failure(ids(here, { by: 'link', key: 'next' }));
    assert.equal(error.code, 'redirected');
    assert.doesNotMatch(error.message, /key=1/);
  });
  await t.test('links to another origin do not matter where markers are used', async () => {
    await using here = await world(({ path }) =>
      path.includes('marker')
        ? { volumes: [] }
        : { volumes, volumes_links: [{ rel: 'next', href: 'http://elsewhere.example/' }] }
    );
    const paging = { by: 'marker', limit: 1, idKey: 'id', linksKey: 'volumes_links' } as const;
    assert.deepEqual(await ids(here, paging), ['1']);
  });
  await t.test('no list', async () => {
    await using here = await world(() => ({ volumes: { id: '1' } }));
    assert.equal((await failure(ids(here, { by: 'nothing' }))).code, 'parse_error');
  });
});

test('what was yielded before a page fails is there', async () => {
  await using here = await world((request) =>
    request.path.includes('marker=2')
      ? (response) => send(response, {}, 500)
      : pagedVolumes(request)
  );
  const found: unknown[] = [];
  const listing: ListingCall = {
    ...call(),
    entriesKey: 'volumes',
    paging: { by: 'marker', limit: 3, idKey: 'id' },
  };
  const error = await failure((async () => {
    for await (const page of here.session.pages(VOLUMES, '/volumes', listing)) {
      found.push(...page.map(({ id }) => id));
    }
  })());
  assert.equal(error.code, 'server_error');
  assert.deepEqual(found, ['0', '1', '2']);
});

test('the signal of the cycle ends a login and a request that hang', async () => {
  await using here = await world(() => () => {});
  here.cloud.loginFault = () => {};
  const login = await failure(here.session.get(VOLUMES, '/', { signal: AbortSignal.timeout(50) }));
  assert.equal(login.code, 'timeout');
  await using there = await world(() => () => {});
  const request = await failure(
    there.session.get(VOLUMES, '/', { signal: AbortSignal.timeout(100) }),
  );
  assert.equal(request.code, 'timeout');
});

test('a clock that is an hour off is remarked with the listing', async () => {
  const cloud = await startMisbehavingCloud(() => (response) => {
    response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
    send(response, { volumes: [{ id: 'v1', size: 1 }] });
  });
  const collector = createOpenStackCollector(cloud.settings, {
    cloud: 'north',
    secret: () => Promise.resolve(CLOUD_PASSWORD),
    readText: () => Promise.reject(new TypeError('no file is named')),
    nowMs: () => Date.now(),
  });
  const { context, remarks } = notedCycle();
  const discovery = collector.discoveries.find(({ name }) => name === 'volumes');
  for await (const page of discovery?.discover(context, '') ?? []) assert.equal(page.length, 1);
  assert.deepEqual(remarks, [{ code: 'clock_skew', unit: null }]);
  await collector.close();
  await cloud[Symbol.asyncDispose]();
});

test('the collector has every discovery that its pollsters name, and each name once', async () => {
  const collector = createOpenStackCollector({ auth_url: 'http://nowhere.invalid' }, {
    cloud: 'north',
    secret: () => Promise.resolve(''),
    readText: () => Promise.resolve(''),
    nowMs: () => 0,
  });
  const discoveries = collector.discoveries.map(({ name }) => name);
  const pollsters = collector.pollsters.map(({ name }) => name);
  for (const names of [discoveries, pollsters]) assert.equal(new Set(names).size, names.length);
  for (const { discovery, name } of collector.pollsters) {
    assert.ok(discoveries.includes(discovery.replace(/:.*/, '')), `${name}: ${discovery}`);
  }
  await collector.close();
});
