/** Who logs in and where: settings, clouds.yaml, the catalogue, and a token that is kept. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type CatalogueChoice,
  findEndpoint,
  readCatalogue,
} from '../../collectors/openstack/catalogue.ts';
import { cloudAccess } from '../../collectors/openstack/cloud_access.ts';
import { readCloudsFile } from '../../collectors/openstack/clouds_file.ts';
import { EndpointTable } from '../../collectors/openstack/endpoint_table.ts';
import type { Token } from '../../collectors/openstack/keystone_login.ts';
import {
  openStackSettingsFrom,
  openStackSettingsSchema,
} from '../../collectors/openstack/settings_schema.ts';
import { TokenKeeper } from '../../collectors/openstack/token_keeper.ts';
import { NephoError } from '../../meters/errors.ts';
import type { JsonValue } from '../../meters/json.ts';
import { isJsonObject } from '../../meters/json.ts';
import type { SecretReference } from '../../collectors/secret_reference.ts';
import { recordedAnswers } from '../support/openstack_answers.ts';

const PASSWORD = {
  auth_url: 'https://keystone:5000/v3',
  username: 'nepho',
  project_name: 'service',
  password_file: '/etc/nepho/openstack.password',
};

const faults = (entry: object): string[] => {
  const parsed = openStackSettingsSchema.safeParse(entry);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

/** Secrets are read as `secret of <where>`. */
const access = (settings: object, files: Record<string, string> = {}) =>
  cloudAccess('north', openStackSettingsSchema.parse(settings), {
    secret: async (reference: SecretReference) =>
      'file' in reference
        ? files[reference.file] ?? `secret of ${reference.file}`
        : `secret of ${reference.env}`,
    readText: async (path: string) => `text of ${path}`,
  });

test('the settings of a cloud name all faults, by their keys', () => {
  assert.deepEqual(faults(PASSWORD), []);
  assert.deepEqual(faults({ ...PASSWORD, auth_url: undefined }), ["auth_url: write 'auth_url'"]);
  assert.deepEqual(faults({ ...PASSWORD, password_file: undefined }), [
    "password_file: write 'password_file'",
  ]);
  assert.deepEqual(faults({ ...PASSWORD, password_env: 'X', project_id: 'y' }), [
    "password_file: write either 'password_env' or 'password_file'",
    "project_id: write either 'project_name' or 'project_id'",
  ]);
  assert.match(faults({ ...PASSWORD, password: 's3cret' })[0] ?? '', /password/);
  assert.match(faults({ ...PASSWORD, auth_url: 'http://u:p@keystone' })[0] ?? '', /without user/);
  assert.equal(faults({ ...PASSWORD, endpoints: { compute: { concurrency: 0 } } }).length, 1);
  assert.deepEqual(faults({ auth_url: PASSWORD.auth_url, application_credential_id: 'a' }), [
    "application_credential_secret_file: write 'application_credential_secret_file'",
  ]);
  assert.deepEqual(faults({ clouds_file: '/etc/openstack/clouds.yaml' }), []);
});

test("the environment of OpenStack's client names the secret rather than holding it", () => {
  const settings = openStackSettingsFrom({
    OS_AUTH_URL: 'http://127.0.0.1:5000/v3',
    OS_USERNAME: 'admin',
    OS_PASSWORD: 's3cret',
    OS_PROJECT_NAME: 'admin',
    OS_PROJECT_ID: 'p1',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_ENDPOINT_TYPE: 'internalURL',
    OS_REGION_NAME: '',
    HOME: '/root',
  });
  assert.deepEqual(settings, {
    auth_url: 'http://127.0.0.1:5000/v3',
    username: 'admin',
    project_id: 'p1',
    user_domain_name: 'Default',
    password_env: 'OS_PASSWORD',
    interface: 'internal',
  });
  assert.deepEqual(faults(settings), []);
  assert.deepEqual(openStackSettingsFrom({ OS_CLOUD: 'north' }), {
    clouds_entry: 'north',
    clouds_file: '/etc/openstack/clouds.yaml',
  });
});

test('a domain that is not named is the default one, and Keystone is asked by v3', async () => {
  for (
    const url of ['https://k:5000', 'https://k:5000/', 'https://k:5000/v3/', 'https://k:5000/v2.0']
  ) {
    const found = await access({ ...PASSWORD, auth_url: url });
    assert.equal(found.authUrl, 'https://k:5000/v3');
    assert.deepEqual(found.identity, {
      method: 'password',
      user: { name: 'nepho', domain: { id: 'default' } },
      project: { name: 'service', domain: { id: 'default' } },
    });
    assert.equal(await found.secret(), 'secret of /etc/nepho/openstack.password');
  }
});

test('an application credential needs neither user nor project', async () => {
  const found = await access({
    auth_url: 'https://k/identity',
    application_credential_id: 'a1',
    application_credential_secret_env: 'SECRET',
    ca_file: '/ca.pem',
  });
  assert.deepEqual(found.identity, { method: 'application_credential', id: 'a1' });
  assert.equal(await found.secret(), 'secret of SECRET');
  assert.equal(found.caCertificate, 'text of /ca.pem');
});

const CLOUDS = `
clouds:
  north:
    auth_type: v3password
    auth: {auth_url: 'https://north:5000', username: reader, password: pw, project_id: 7,
      user_domain_name: Users}
    region_name: R1
    interface: internalURL
    cacert: /north.pem
  south:
    auth_type: v3applicationcredential
    auth: {auth_url: 'https://south/v3', application_credential_id: a2,
      application_credential_secret: hush}
`;

test("an entry of openstacksdk's clouds.yaml is used, and what stands beside it prevails", async () => {
  const files = { '/clouds.yaml': CLOUDS };
  const north = await access({ clouds_file: '/clouds.yaml', region_name: 'R2' }, files);
  assert.deepEqual({ ...north, secret: await north.secret() }, {
    authUrl: 'https://north:5000/v3',
    identity: {
      method: 'password',
      user: { name: 'reader', domain: { name: 'Users' } },
      project: { id: '7' },
    },
    secret: 'pw',
    region: 'R2',
    interface: 'internal',
    caCertificate: 'text of /north.pem',
  });
  const south = await access({ clouds_file: '/clouds.yaml', clouds_entry: 'south' }, files);
  assert.deepEqual(south.identity, { method: 'application_credential', id: 'a2' });
  assert.equal(await south.secret(), 'hush');
  const other = await access({ clouds_file: '/clouds.yaml', password_env: 'P' }, files);
  assert.equal(await other.secret(), 'secret of P');
});

test('a clouds.yaml that is wrong is said to be, without what it holds', () => {
  const wrong = (text: string, name = 'north') => {
    try {
      readCloudsFile(text, 'clouds.yaml', name);
    } catch (error) {
      assert.ok(error instanceof NephoError);
      assert.equal(error.code, 'unauthorised');
      assert.doesNotMatch(error.message, /hunter2/);
      return error.message;
    }
    return '';
  };
  assert.match(wrong(CLOUDS, 'west'), /no such entry, but 'north', 'south'/);
  assert.match(wrong('password: "hunter2'), /no YAML/);
  assert.match(wrong('- 1'), /no 'clouds:'/);
  assert.match(wrong('clouds: {north: {auth: hunter2}}'), /'auth' is wrong/);
  assert.match(wrong('clouds: {north: {auth: {}, verify: false}}'), /cacert/);
  assert.match(wrong('clouds: {north: {auth: {}, auth_type: v3totp}}'), /'auth_type' is wrong/);
});

function service(type: string, ...endpoints: [region: string, side: string, url: string][]) {
  return {
    type,
    endpoints: endpoints.map(([region_id, side, url]) => ({ region_id, interface: side, url })),
  };
}

test('the catalogue is read by type or alias, region and interface', () => {
  const recorded = recordedAnswers('compute')['token'];
  const token = isJsonObject(recorded) ? recorded['token'] : null;
  const catalog = isJsonObject(token) ? token['catalog'] : null;
  const one: CatalogueChoice = { region: 'RegionOne', interface: 'public' };
  const read = readCatalogue(catalog, one);
  assert.equal(findEndpoint(read, 'compute', one), 'http://127.0.0.1:8774/v2.1');
  assert.match(findEndpoint(read, 'block-storage', one), /:8776\/v3\//);
  assert.equal(findEndpoint(read, 'identity', one), 'http://127.0.0.1:5000/v3');
  assert.throws(() => findEndpoint(read, 'dns', one), { code: 'service_absent' });
  const two: CatalogueChoice = { region: 'Elsewhere', interface: 'public' };
  assert.throws(() => findEndpoint(readCatalogue(catalog, two), 'compute', two), {
    code: 'service_absent',
    message: /no public endpoint of it in region 'Elsewhere'/,
  });
});

test('a region that nobody chose is no matter of luck', () => {
  const choice: CatalogueChoice = { region: null, interface: 'public' };
  const catalogue = readCatalogue([
    service('compute', ['A', 'public', 'http://a'], ['B', 'public', 'http://b']),
    service('identity', ['A', 'public', 'http://k/'], ['B', 'public', 'http://k/']),
    service('image', ['A', 'public', 'http://i'], ['B', 'internal', 'http://j']),
  ], choice);
  assert.throws(() => findEndpoint(catalogue, 'compute', choice), {
    code: 'service_absent',
    message: /it in 'A', 'B'; write 'region_name'/,
  });
  assert.equal(findEndpoint(catalogue, 'identity', choice), 'http://k');
  assert.equal(findEndpoint(catalogue, 'image', choice), 'http://i');
});

test('what is no catalogue has no services', () => {
  const choice: CatalogueChoice = { region: null, interface: 'public' };
  const odd: JsonValue[] = [null, 5, [], [null], [{ type: 'compute' }], [
    service('compute', ['A', 'public', 'ftp://x']),
  ]];
  for (const catalog of odd) assert.equal(readCatalogue(catalog, choice).size, 0);
});

test('limits belong to services, though these share one origin', () => {
  const table = new EndpointTable(openStackSettingsSchema.parse({
    ...PASSWORD,
    endpoints: {
      '*': { timeout: 10 },
      'compute': { concurrency: 4, requests_per_second: 5 },
      'volumev3': { url: 'http://cloud/vol/' },
    },
  }));
  table.learn('identity', 'http://cloud/identity/v3');
  table.learn('compute', 'http://cloud/compute/v2.1');
  table.learn('object-store', 'http://cloud/v1/AUTH_1');
  const of = (url: string) => {
    const { concurrency, timeoutMs } = table.limitsOf(new URL(url));
    return [table.keyOf(new URL(url)), concurrency, timeoutMs];
  };
  assert.deepEqual(of('http://cloud/compute/v2.1/servers'), ['http://cloud compute', 4, 10_000]);
  assert.deepEqual(of('http://cloud/identity/v3/x'), ['http://cloud identity', 16, 10_000]);
  assert.deepEqual(of('http://cloud/v1/AUTH_2'), ['http://cloud object-store', 16, 10_000]);
  assert.deepEqual(of('http://other/'), ['http://other', 16, 10_000]);
  assert.equal(table.override('block-storage'), 'http://cloud/vol');
});

function keeper(options: { login: (secret: string) => Promise<Token>; secret?: () => string }) {
  const clock = { ms: 0 };
  const keeper = new TokenKeeper({
    cloud: 'north',
    secret: async () => options.secret?.() ?? 'pw',
    login: options.login,
    clockMs: () => clock.ms,
  });
  return { keeper, clock };
}

const token = (id: string): Token => ({
  id,
  lifetimeMs: 3_600_000,
  projectId: null,
  catalogue: new Map(),
});

test('TokenKeeper logs in once for all, and again shortly before the end', async () => {
  let logins = 0;
  const { keeper: one, clock } = keeper({ login: async () => token(String(logins += 1)) });
  const all = await Promise.all(Array.from({ length: 20 }, async () => one.token()));
  assert.deepEqual([...new Set(all.map(({ id }) => id))], ['1']);
  clock.ms = 3_299_000;
  assert.equal((await one.token()).id, '1');
  clock.ms = 3_301_000;
  assert.equal((await one.token()).id, '2');
});

test('TokenKeeper goes on with a token that is still good while Keystone is away', async () => {
  let logins = 0;
  const { keeper: one, clock } = keeper({
    async login() {
      logins += 1;
      if (logins > 1) throw new NephoError('unreachable', 'Away', { retryable: true });
      return token('1');
    },
  });
  await one.token();
  clock.ms = 3_400_000;
  assert.equal((await one.token()).id, '1');
  assert.equal((await one.token()).id, '1');
  assert.equal(logins, 2, 'it is not asked again at once');
  clock.ms = 3_600_001;
  await assert.rejects(Promise.resolve(one.token()), { code: 'unreachable' });
});

test('TokenKeeper renews a token that a service refused, but not one that is quite new', async () => {
  let logins = 0;
  const { keeper: one, clock } = keeper({ login: async () => token(String(logins += 1)) });
  const first = await one.token();
  one.reject(first);
  assert.equal(await one.token(), first);
  clock.ms = 40_000;
  one.reject(first);
  const second = await one.token();
  assert.equal(second.id, '2');
  one.reject(first);
  assert.equal(await one.token(), second, 'the others who had the old one do not matter');
});

test('TokenKeeper does not try refused credentials again for longer and longer', async () => {
  const attempts: number[] = [];
  let secret = 'wrong';
  const { keeper: one, clock } = keeper({
    secret: () => secret,
    async login(given) {
      attempts.push(clock.ms / 60_000);
      if (given === 'wrong') throw new NephoError('unauthorised', 'No');
      return token('1');
    },
  });
  for (let minute = 0; minute <= 240; minute += 1) {
    clock.ms = minute * 60_000;
    await assert.rejects(Promise.resolve(one.token()), (error: NephoError) => {
      assert.equal(error.code, 'unauthorised');
      assert.match(error.message, /not tried again for \d+ s, lest it locks the account/);
      assert.doesNotMatch(error.message, /wrong/);
      return true;
    });
  }
  assert.deepEqual(attempts, [0, 5, 15, 35, 75, 135, 195]);
  secret = 'right';
  assert.equal((await one.token()).id, '1', 'a changed secret is tried at once');
});
