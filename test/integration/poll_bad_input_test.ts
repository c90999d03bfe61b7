/**
 * What a cloud may answer instead of what it should: each has its word in the record, and none stops the
 * cycle for the other listings.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createOpenStackCollector } from '../../collectors/openstack/collector.ts';
import type { OpenStackSettings } from '../../collectors/openstack/settings_schema.ts';
import { createSourceMemory } from '../../collectors/polling/source_memory.ts';
import { listGaps } from '../../db/coverage.ts';
import { compileMeterPatterns } from '../../meters/meter_patterns.ts';
import type { GapReason, RemarkCode } from '../../meters/poll_gap.ts';
import { type ReadPollMessage, readPollMessage } from '../../meters/poll_message_reader.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import {
  CLOUD_USER,
  CloudApi,
  type CloudApiOptions,
  type CloudApiRequest,
  type CloudFault,
} from '../support/cloud_api.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { pollOnce } from '../support/poll_world.ts';
import {
  makeCertificate,
  opensslSkipReason,
  type TestCertificate,
} from '../support/test_certificates.ts';
import { testSigner } from '../support/test_signer.ts';

const METERS = ['instance', 'memory', 'cpu', 'disk.device.read.bytes', 'port'];
const INSTANCES = 5;
const MINUTE_MS = 60_000;
const SERVERS = /\/servers\/detail$/;
const DIAGNOSTICS = /\/diagnostics$/;
const HUGE = 10 * 1024 ** 3;

const SIGNER = testSigner(0, TEST_DEPLOYMENT);

type Fault = NonNullable<CloudApiOptions['fault']>;

/** A cloud, its collector, and what cycles of it have told. */
class Polled implements AsyncDisposable {
  readonly messages: ReadPollMessage[] = [];
  secret = CLOUD_USER.password;
  readonly api: CloudApi;
  readonly #source: string;
  readonly #world: IngestWorld;
  readonly #collector: ReturnType<typeof createOpenStackCollector>;
  readonly #memory = createSourceMemory();
  readonly #startMs = Math.trunc(Date.now() / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS;
  #cycles = 0;

  static async start(
    world: IngestWorld,
    source: string,
    { fault, settings = {}, ca = '' }: {
      fault?: Fault;
      settings?: Partial<OpenStackSettings>;
      ca?: string;
    },
  ): Promise<Polled> {
    const api = await CloudApi.start({
      instances: INSTANCES,
      pageSize: 2,
      ...fault === undefined ? {} : { fault },
    });
    return new Polled(world, source, { api, settings, ca });
  }

  private constructor(
    world: IngestWorld,
    source: string,
    { api, settings, ca }: { api: CloudApi; settings: Partial<OpenStackSettings>; ca: string },
  ) {
    this.#world = world;
    this.#source = source;
    this.api = api;
    this.#collector = createOpenStackCollector({
      auth_url: api.authUrl,
      username: CLOUD_USER.name,
      password_env: 'PASSWORD',
      project_name: 'service',
      ...settings,
    }, {
      cloud: 'c',
      secret: () => Promise.resolve(this.secret),
      readText: () => Promise.resolve(ca),
      nowMs: Date.now,
    });
  }

  /** One cycle, its messages put into the intake too. */
  async cycle(): Promise<void> {
    const cycle = formatMillis(this.#startMs + this.#cycles * MINUTE_MS);
    this.#cycles += 1;
    this.messages.length = 0;
    await pollOnce(
      { cloud: 'c', source: this.#source, group: 0, cycle },
      this.#collector,
      (bytes) => {
        this.messages.push(readPollMessage(new TextDecoder().decode(bytes)));
        return this.#world.publishPoll(bytes);
      },
      {
        source: { selection: compileMeterPatterns(METERS), named: METERS },
        memory: this.#memory,
        nowMs: Date.now,
      },
    );
  }

  /** Units that a pollster has read in the last cycle. */
  read(pollster: string): number {
    return this.messages.flatMap(({ units }) => units)
      .filter((unit) => unit.pollster === pollster).length;
  }

  get gaps() {
    return this.messages.flatMap(({ gaps }) => gaps);
  }

  get remarks() {
    return this.messages.flatMap(({ end }) => end?.remarks ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#collector.close();
    await this.api.stop();
  }
}

const answer = (
  status: number,
  body: string,
  headers: Record<string, string> = {},
): CloudFault => ({ kind: 'answer', status, body, headers });
const ofServers = (fault: CloudFault): Fault => ({ path }) => SERVERS.test(path) ? fault : null;
const ofDiagnostics = (fault: CloudFault): Fault => ({ path }) =>
  DIAGNOSTICS.test(path) ? fault : null;
const edit = (pattern: RegExp, replacement: string): CloudFault => ({
  kind: 'edit',
  edit: (body) => body.replace(pattern, replacement),
});

/** Each page is the first one again. */
function loop(): Fault {
  let first = '';
  return ofServers({ kind: 'edit', edit: (body) => first ||= body });
}

/** What the listing of servers answers, and the word for it. */
const LISTINGS: readonly (readonly [name: string, fault: Fault, reason: GapReason])[] = [
  ['HTML', ofServers({ kind: 'html' }), 'parse_error'],
  ['half a JSON', ofServers({ kind: 'half' }), 'parse_error'],
  ['less than it promised', ofServers({ kind: 'cut' }), 'unreachable'],
  ['another shape', ofServers(answer(200, '{"servers":{"id":1}}')), 'parse_error'],
  [
    'an error that is called a success',
    ofServers(answer(200, '{"computeFault":{"code":500,"message":"No database"}}')),
    'error_in_body',
  ],
  ['a page that is the first one again', loop(), 'paging_loop'],
  ['a reset', ofServers({ kind: 'reset' }), 'unreachable'],
  ['503', ofServers({ kind: 'status', status: 503 }), 'server_error'],
  ['429', ofServers({ kind: 'status', status: 429 }), 'rate_limited'],
  ['403', ofServers({ kind: 'status', status: 403 }), 'forbidden'],
];

/** What the answers hold that is odd, and the word for it; what was read is kept. */
const ODDITIES: readonly (readonly [name: string, fault: Fault, remark: RemarkCode])[] = [
  [
    'a number as text',
    ({ path }) =>
      SERVERS.test(path)
        ? edit(/"ram":4096/g, '"ram":"4096"')
        : DIAGNOSTICS.test(path)
        ? edit(/"read_bytes":(\d+)/, '"read_bytes":"$1"')
        : null,
    'number_as_text',
  ],
  ['a clock an hour ahead', () => ({ kind: 'clock', aheadMs: 3_600_000 }), 'clock_skew'],
  ['a clock an hour behind', () => ({ kind: 'clock', aheadMs: -3_600_000 }), 'clock_skew'],
  ['a counter that went back', countersGoBack(), 'counter_reset'],
  [
    'a server that is listed twice',
    ofServers({
      kind: 'edit',
      edit: (body) => body.replace(/"servers":\[(\{.*?\}),\{"id"/, '"servers":[$1,$1,{"id"'),
    }),
    'listed_twice',
  ],
];

/** From the second time that a server is asked for. */
function countersGoBack(): Fault {
  const asked = new Set<string>();
  return ({ path }) => {
    if (!DIAGNOSTICS.test(path)) return null;
    if (asked.has(path)) return edit(/"time":\d+/g, '"time":1');
    asked.add(path);
    return null;
  };
}

/** Values of one server's counters that are none. */
const VALUES: readonly (readonly [name: string, text: string])[] = [
  ['a word', '"many"'],
  ['less than nothing', '-1'],
  ['a list', '[1]'],
  ['a number with an exponent beyond all bounds', '1e999999999'],
];

describe('a cloud that answers', { skip: ingestSkipReason() }, () => {
  let world: IngestWorld;

  before(async () => {
    world = await IngestWorld.start(Date.now());
  });
  after(() => world?.stop());

  /** What must be on record in the end, by source. */
  const records: { source: string; reasons: readonly GapReason[]; remarks: RemarkCode[] }[] = [];
  const record = (source: string, reasons: readonly GapReason[], remarks: RemarkCode[] = []) =>
    records.push({ source, reasons, remarks });

  for (const [name, fault, reason] of LISTINGS) {
    test(`${name}: '${reason}' for the servers, and the ports are read`, async () => {
      await using polled = await Polled.start(world, name, { fault });
      await polled.cycle();
      assert.equal(polled.read('neutron.port'), INSTANCES);
      const listings = polled.gaps.filter(({ unit }) => unit === null);
      assert.deepEqual(
        listings.map((gap) => `${gap.pollster} ${gap.reason}`).sort(),
        [`nova.diagnostics ${reason}`, `nova.servers ${reason}`],
      );
      record(name, [reason]);
    });
  }

  for (const [name, fault, remark] of ODDITIES) {
    test(`${name}: the remark '${remark}', and all is read`, async () => {
      await using polled = await Polled.start(world, name, { fault });
      await polled.cycle();
      if (remark === 'counter_reset') {
        assert.deepEqual(polled.remarks, []);
        await polled.cycle();
      }
      for (const pollster of ['nova.servers', 'nova.diagnostics', 'neutron.port']) {
        assert.equal(polled.read(pollster), INSTANCES, pollster);
      }
      assert.deepEqual(polled.gaps, []);
      assert.deepEqual([...new Set(polled.remarks.map(({ code }) => code))], [remark]);
      record(name, [], [remark]);
    });
  }

  for (const [name, text] of VALUES) {
    test(`${name} for a counter: 'value_invalid' for it alone`, async () => {
      const fault = ofDiagnostics(edit(/"read_bytes":\d+/, `"read_bytes":${text}`));
      await using polled = await Polled.start(world, name, { fault });
      await polled.cycle();
      assert.equal(polled.read('nova.diagnostics'), INSTANCES);
      assert.deepEqual(
        polled.gaps.map(({ meters, reason, partial }) => [meters[0]?.name, reason, partial]),
        Array.from({ length: INSTANCES }, () => ['disk.device.read.bytes', 'value_invalid', true]),
      );
      record(name, ['value_invalid']);
    });
  }

  test("without an end: 'too_large', in bounded memory", async () => {
    const limit = 8 * 1024 ** 2;
    const settings = { endpoints: { compute: { max_bytes: limit } } };
    const fault = ofServers({ kind: 'endless' });
    await using polled = await Polled.start(world, 'endless', { fault, settings });
    const before = process.memoryUsage().rss;
    for (let cycle = 0; cycle < 4; cycle += 1) {
      await polled.cycle();
      assert.equal(polled.read('neutron.port'), INSTANCES);
      assert.deepEqual(new Set(polled.gaps.map(({ reason }) => reason)), new Set(['too_large']));
    }
    const grown = process.memoryUsage().rss - before;
    // The cloud is in this process too, and what its sockets hold.
    assert.ok(grown < 10 * limit, `the process has grown by ${grown} bytes`);
    assert.ok(polled.api.endlessBytes < 4 * 3 * limit, `${polled.api.endlessBytes} were sent`);
    record('endless', ['too_large']);
  });

  test("with 10 GB by its own word: 'too_large' before they come", async () => {
    const fault = ofServers(answer(200, '{"servers":', { 'content-length': String(HUGE) }));
    await using polled = await Polled.start(world, 'huge', { fault });
    await polled.cycle();
    assert.equal(polled.read('neutron.port'), INSTANCES);
    record('huge', ['too_large']);
  });

  test("with a redirect elsewhere: 'redirected', and nobody goes there", async () => {
    let visits = 0;
    const elsewhere = createServer((_, response) => {
      visits += 1;
      response.end('{"servers":[]}');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const location = `http://127.0.0.1:${port}/servers/detail`;
    const fault = ({ path }: CloudApiRequest) =>
      SERVERS.test(path) ? answer(302, '', { location }) : null;
    try {
      await using polled = await Polled.start(world, 'redirect', { fault });
      await polled.cycle();
      assert.equal(polled.read('neutron.port'), INSTANCES);
      record('redirect', ['redirected']);
      assert.equal(visits, 0);
    } finally {
      elsewhere.close();
    }
  });

  test("by a certificate of another name, or of a stranger: 'certificate_invalid'", {
    skip: opensslSkipReason(),
  }, async () => {
    const own = makeCertificate('IP:127.0.0.1');
    const other = makeCertificate('DNS:other.example');
    const cases: { name: string; tls: TestCertificate; ca: string; reasons: GapReason[] }[] = [
      { name: 'good', tls: own, ca: own.ca, reasons: [] },
      { name: 'other name', tls: other, ca: other.ca, reasons: ['certificate_invalid'] },
      { name: 'stranger', tls: own, ca: other.ca, reasons: ['certificate_invalid'] },
    ];
    for (const { name, tls, ca, reasons } of cases) {
      const secure = await CloudApi.start({ instances: INSTANCES, tls });
      const settings = {
        ca_file: 'ca.pem',
        endpoints: { compute: { url: `${secure.url}/compute/v2.1` } },
      };
      try {
        await using polled = await Polled.start(world, name, { settings, ca });
        await polled.cycle();
        assert.equal(polled.read('neutron.port'), INSTANCES);
        assert.equal(polled.read('nova.servers'), reasons.length === 0 ? INSTANCES : 0);
        record(name, reasons);
      } finally {
        await secure.stop();
      }
    }
  });

  test("not to wrong credentials: 'unauthorised', asked once, until the secret changes", async () => {
    await using polled = await Polled.start(world, 'credentials', {});
    polled.secret = 'a wrong one';
    for (let cycle = 0; cycle < 5; cycle += 1) {
      await polled.cycle();
      assert.deepEqual(
        polled.gaps.map(({ pollster, unit, reason }) => `${pollster} ${unit} ${reason}`).sort(),
        ['neutron.port', 'nova.diagnostics', 'nova.servers']
          .map((pollster) => `${pollster} null unauthorised`),
      );
      for (const { detail } of polled.gaps) {
        assert.match(detail, /Keystone refuses the credentials/);
        assert.ok(!detail.includes(polled.secret));
      }
    }
    assert.equal(polled.api.logins, 1);
    assert.equal(polled.api.requests, 1, 'nothing was asked without a token');
    record('credentials', ['unauthorised']);
    polled.secret = CLOUD_USER.password;
    await polled.cycle();
    assert.equal(polled.read('nova.servers'), INSTANCES);
    assert.equal(polled.api.logins, 2);
  });

  test('to nobody at all: a reason for each listing, in the time of the cycle', async () => {
    await using polled = await Polled.start(world, 'gone', {
      settings: { auth_url: 'http://127.0.0.1:9/v3' },
    });
    await polled.cycle();
    assert.deepEqual([...new Set(polled.gaps.map(({ reason }) => reason))], ['unreachable']);
    assert.equal(new Set(polled.gaps.map(({ pollster }) => pollster)).size, 3);
  });

  test('anything of this is on record by that word, with what it was', async () => {
    await world.drain({ signers: [SIGNER] });
    for (const { source, reasons, remarks } of records) {
      const { rows: gaps } = await listGaps(world.pool, { source }, { limit: 1_000 });
      assert.deepEqual([...new Set(gaps.map(({ reason }) => reason))], reasons, source);
      for (const { detail, repairedAt } of gaps) {
        assert.ok(detail.length > 10, source);
        assert.equal(repairedAt, null);
      }
      const { rows: cycles } = await world.pool.query<{ codes: string[] }>(
        `SELECT array(SELECT jsonb_object_keys(remark_counts)) AS codes FROM poll_cycles
         WHERE source = $1 ORDER BY cycle DESC LIMIT 1`,
        [source],
      );
      assert.deepEqual(cycles[0]?.codes, remarks, source);
    }
  });
});
