/** The commands of polling: in the foreground without any server, then on a system with a real poller. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { startAnnounced } from '../../cli/announced_child.ts';
import { ownCommand } from '../../cli/own_program.ts';
import { Supervisor } from '../../cli/processes.ts';
import { createClient, type NephoClient, type NephoOutputs } from '../../client/client.ts';
import { createKeyFile } from '../../ledger/key_file.ts';
import type { Reading } from '../../meters/sample.ts';
import { CLOUD_USER, CloudApi } from '../support/cloud_api.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { nepho } from '../support/nepho_command.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';
import {
  startTemporal,
  type TemporalServer,
  temporalSkipReason,
} from '../support/temporal_server.ts';

type Source = NephoOutputs['sources']['describe'];
type Gaps = NephoOutputs['coverage']['gaps'];

const INSTANCES = 5;
const PASSWORD = 'NEPHO_TEST_CLOUD_PASSWORD';
const LIMIT_MS = 60_000;

/** A polling.yaml whose sources are those given, of the cloud that speaks at `url`. */
function pollingYaml(authUrl: string, ...sources: string[]): string {
  return `clouds:
  lab:
    auth_url: ${authUrl}
    username: ${CLOUD_USER.name}
    user_domain_name: Default
    project_name: service
    project_domain_name: Default
    password_env: ${PASSWORD}
sources:
${sources.map((source) => `  - ${source}\n`).join('')}`;
}

function readingsOf(stdout: string): Reading[] {
  return stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Reading);
}

const COMPUTE = '{ name: compute, interval: 10, meters: [instance, vcpus, cpu], groups: 2 }';

describe('the commands of polling', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nepho-cli-polling-'));
  const file = path.join(folder, 'polling.yaml');
  let cloud: CloudApi;
  let env: Record<string, string>;

  before(async () => {
    cloud = await CloudApi.start({ instances: INSTANCES });
    env = {
      NEPHO_HOME: folder,
      NEPHO_POLLING_FILE: file,
      NEPHO_URL: '',
      NEPHO_TOKEN: '',
      [PASSWORD]: CLOUD_USER.password,
    };
    writeFileSync(file, pollingYaml(cloud.authUrl, COMPUTE));
  });
  after(async () => {
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('poll', () => {
    test('prints the samples of a source, a JSON a line, and its receipt beside them', async () => {
      const { status, stdout, stderr } = await nepho(
        ['poll', '--source', 'compute', '--file', file],
        { env: { ...env, NEPHO_POLLING_FILE: '' } },
      );
      assert.equal(status, 0, stderr);
      const readings = readingsOf(stdout);
      assert.equal(readings.length, 3 * INSTANCES);
      const ofFirst = readings.filter((one) => one.resource_id === cloud.ids[0]);
      assert.deepEqual(ofFirst.map(({ meter, unit }) => `${meter} ${unit}`).toSorted(), [
        'cpu ns',
        'instance instance',
        'vcpus vcpu',
      ]);
      assert.match(stderr, /^Polling 'compute' of 'lab'\n/);
      const receipt = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as object;
      assert.deepEqual(
        Object.entries(receipt).filter(([key]) => ['samples', 'missing'].includes(key)),
        [
          ['samples', 3 * INSTANCES],
          ['missing', 0],
        ],
      );
    });

    test('of the groups together gives what the whole gives, and each thing once', async () => {
      const resources = await Promise.all(['0', '1'].map(async (group) => {
        const { stdout } = await nepho(['poll', '--source', 'compute', '--group', group], { env });
        return readingsOf(stdout).filter(({ meter }) => meter === 'vcpus')
          .map((reading) => reading.resource_id);
      }));
      assert.ok(resources.every((share) => share.length > 0));
      assert.deepEqual(resources.flat().sort(), [...cloud.ids].sort());
    });

    test('says what is missing and why, and ends with status 1', async () => {
      cloud.fault = ({ path: asked }) =>
        asked.endsWith(`${cloud.ids[1]}/diagnostics`) ? { kind: 'status', status: 403 } : null;
      const { status, stdout, stderr } = await nepho(['poll', '--source', 'compute'], { env });
      cloud.fault = () => null;
      assert.equal(status, 1);
      assert.equal(stdout.trimEnd().split('\n').length, 3 * INSTANCES - 1);
      assert.match(
        stderr,
        new RegExp(`^missing: nova\\.diagnostics of ${cloud.ids[1]}: forbidden: `, 'm'),
      );
    });

    test('of a cloud that refuses the password says so, without the password, and asks once', async () => {
      const before = cloud.logins;
      const wrong = { ...env, [PASSWORD]: 'a wrong secret' };
      const { status, stdout, stderr } = await nepho(['poll', '--source', 'compute'], {
        env: wrong,
      });
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, /: unauthorised: /);
      assert.ok(!stderr.includes('a wrong secret'));
      assert.equal(cloud.logins - before, 1);
    });

    test('tells every fault of the file by its place, and uses nothing of it', async () => {
      const faulty = path.join(folder, 'faulty.yaml');
      const source = '{ name: a, intervall: 60, meters: [cpu, "!disk.*"] }';
      writeFileSync(faulty, pollingYaml(cloud.authUrl, source));
      // What only the schemas of the collectors see.
      const foreign = path.join(folder, 'foreign.yaml');
      writeFileSync(
        foreign,
        `${
          pollingYaml(cloud.authUrl, COMPUTE).replace('username', 'user_name')
        }collectors:\n  libvrt: {}\n`,
      );
      const [polled, planned, told] = await Promise.all([
        nepho(['poll', '--source', 'a', '--file', faulty], { env }),
        nepho(['sources', 'plan', '--file', faulty], { env }),
        nepho(['sources', 'apply', '--file', foreign], { env }),
      ]);
      for (const { status, stdout, stderr } of [polled, planned]) {
        assert.deepEqual([status, stdout], [1, '']);
        assert.deepEqual(
          [...stderr.matchAll(/faulty\.yaml:(\d+):(\d+): (\w+): /g)].map((one) => one.slice(1)),
          [['10', '5', 'key_missing'], ['10', '16', 'key_unknown'], ['10', '45', 'meters_mixed']],
        );
        assert.match(
          stderr,
          /\nCannot use '.*faulty\.yaml': it has 3 faults \(polling_faulty\)\n$/,
        );
      }
      assert.match(
        told.stderr,
        /^.*foreign\.yaml:4:5: \w+: .*\n.*foreign\.yaml:12:3: key_unknown: /m,
      );
    });

    test('does not understand what makes no sense, and says what there is', async () => {
      const cases: [string[], number, RegExp][] = [
        [['poll', '--source', 'comput'], 2, /polling\.yaml has 'compute' \(usage_invalid\)/],
        [['poll', '--source', 'compute', '--group', '2'], 2, /its groups are 0 to 1 /],
        [['sources', 'backfill', 'compute', '--from', 'noon', '--to', 'one'], 2, /'--from <time>'/],
      ];
      await Promise.all(cases.map(async ([words, wanted, sentence]) => {
        const { status, stdout, stderr } = await nepho(words, { env });
        assert.deepEqual([status, stdout], [wanted, ''], `${words.join(' ')}: ${stderr}`);
        assert.match(stderr, sentence);
      }));
    });
  });

  const skip = natsSkipReason() || temporalSkipReason() || postgresSkipReason();
  describe('with a system that runs', { skip }, () => {
    const failures: string[] = [];
    const parts = new Supervisor(({ message }) => failures.push(message));
    const logFile = path.join(folder, 'parts.log');
    let servers: { postgres: PostgresServer; nats: NatsServer; temporal: TemporalServer };
    let system: Record<string, string>;
    let client: NephoClient;

    before(async () => {
      const [postgres, nats, temporal] = await Promise.all([
        startPostgres({ fsync: false }),
        startNats(),
        startTemporal(),
      ]);
      servers = { postgres, nats, temporal };
      const operatorKey = path.join(folder, 'operator.key');
      const signingKey = path.join(folder, 'signing.key');
      await createKeyFile(signingKey);
      system = {
        ...env,
        DATABASE_URL: postgres.url,
        NEPHO_NATS_URL: nats.url,
        NEPHO_TEMPORAL_ADDRESS: temporal.address,
        NEPHO_DEPLOYMENT: 'metering.test',
        NEPHO_SIGNING_KEY: '',
        NEPHO_SIGNING_KEY_FILE: signingKey,
      };
      const migrated = await nepho(['migrate', '--operator-key', operatorKey], { env: system });
      assert.equal(migrated.status, 0, migrated.stderr);
      const start = (name: string, ...words: string[]) =>
        startAnnounced(parts, { name, ...ownCommand(...words), environment: system, logFile }, {
          timeoutMs: 120_000,
          schema: z.object({ url: z.string().optional() }),
        });
      const [{ url = '' }] = await Promise.all([
        start('the API', 'api', '--port', '0'),
        start('the worker', 'worker'),
        start('the poller', 'poller'),
      ]);
      const token = readFileSync(operatorKey, 'utf8').trim();
      env = { ...env, NEPHO_URL: url, NEPHO_TOKEN: token };
      client = createClient({ url, token });
    });
    after(async () => {
      await parts.stop();
      await servers.postgres.stop();
      await servers.nats.stop();
      await servers.temporal.stop();
      assert.deepEqual(failures, []);
    });

    async function text(...words: string[]): Promise<string> {
      const { status, stdout, stderr } = await nepho(words, { env });
      assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
      return stdout;
    }

    async function json<Answer>(...words: string[]): Promise<Answer> {
      return JSON.parse(await text(...words, '--json')) as Answer;
    }

    /** Asks by the client, since a command takes a second to start. */
    async function until<Answer>(
      ask: () => Promise<Answer>,
      holds: (answer: Answer) => boolean,
    ): Promise<Answer> {
      const deadline = Date.now() + LIMIT_MS;
      for (;;) {
        const answer = await ask();
        if (holds(answer)) return answer;
        assert.ok(Date.now() < deadline, `not in time: ${JSON.stringify(answer)}`);
        await delay(100);
      }
    }

    test('plan says what apply does, and applying again changes nothing', async () => {
      const planned = await text('sources', 'plan');
      assert.equal(
        planned,
        'compute of lab would be created: poll-lab-compute-0, poll-lab-compute-1\n0 unchanged\n',
      );
      assert.equal(await text('sources', 'apply'), planned.replace('would be', 'is'));
      assert.equal(await text('sources', 'apply'), '1 unchanged\n');
      assert.match(await text('sources', 'list'), /^lab +compute +10 s +2 +polling /m);
    });

    test('the poller polls by the Schedules, and coverage has what was expected and came', async () => {
      const { rows } = await until(
        () => client.coverage.list.query({ source: 'compute' }),
        (answer) => answer.rows.reduce((sum, row) => sum + row.received, 0) >= 3 * INSTANCES,
      );
      for (const row of rows) assert.deepEqual([row.missing, row.received], [0, row.expected]);
      assert.deepEqual([...new Set(rows.map(({ meter }) => meter))].sort(), [
        'cpu',
        'instance',
        'vcpus',
      ]);
      const { samples } = await client.samples.list.query({ meter: 'cpu' });
      const [table, { groups }] = await Promise.all([
        text('coverage', '--meter', 'cpu'),
        json<Source>('sources', 'describe', 'compute'),
      ]);
      assert.match(
        table,
        /^CYCLE +CLOUD +SOURCE +METER +EXPECTED +RECEIVED +MISSING +CARRIED +REPAIRED/,
      );
      assert.match(table, /^\d+ expected, \d+ received, 0 missing\n$/m);
      assert.ok(samples.length > 0);
      assert.ok(groups.some((group) => group.last_run !== null));
    });

    test('a pause stops it, trigger polls once meanwhile, and a gap has its reason', async () => {
      assert.equal(
        await text('sources', 'pause', 'compute', '--reason', 'the cloud moves'),
        'poll-lab-compute-0 paused\npoll-lab-compute-1 paused\n',
      );
      const [list, description] = await Promise.all([
        text('sources', 'list'),
        text('sources', 'describe', 'compute', '--cloud', 'lab'),
      ]);
      assert.match(list, /^lab +compute +10 s +2 +paused /m);
      assert.match(
        description,
        /^poll-lab-compute-0 +paused: the cloud moves \(by key-[\w-]+\), phase \d s, last 20/m,
      );
      cloud.fault = ({ path: asked }) =>
        asked.endsWith(`${cloud.ids[2]}/diagnostics`) ? { kind: 'status', status: 403 } : null;
      assert.match(await text('sources', 'trigger', 'compute'), /^poll-lab-compute-0 triggered\n/);
      await until(() => client.coverage.gaps.query({}), (answer) => answer.gaps.length > 0);
      const [{ gaps }, shown] = await Promise.all([
        json<Gaps>('coverage', '--open'),
        text('coverage', '--gaps', '--reason', 'forbidden'),
      ]);
      assert.deepEqual(
        gaps.map(({ unit, reason, meters, pollster }) => [unit, reason, meters, pollster]),
        [[cloud.ids[2], 'forbidden', ['cpu'], 'nova.diagnostics']],
      );
      assert.match(
        shown,
        new RegExp(`compute +nova\\.diagnostics +${cloud.ids[2]} +1 +forbidden +`),
      );
      cloud.fault = () => null;
      assert.match(await text('sources', 'resume', 'compute'), /^poll-lab-compute-0 resumed\n/);
    });

    test('backfill begins one actor a group, and a name that is not in force is told', async () => {
      const span = ['--from', '2026-02-01T00:00:00Z', '--to', '2026-02-01T01:00:00Z'];
      const [told, unknown] = await Promise.all([
        text('sources', 'backfill', 'compute', ...span),
        nepho(['sources', 'describe', 'nothing'], { env }),
      ]);
      assert.match(
        told,
        /^backfill-lab-compute-0-2026-02-01T00:00:00\.000000Z-2026-02-01T01:00:00\.000000Z repairs\n/,
      );
      assert.match(told, /nepho coverage --source compute --from /);
      assert.equal(unknown.status, 2);
      assert.match(
        unknown.stderr,
        /^Cannot find a source 'nothing' in force: .*\(usage_invalid\)\n$/,
      );
    });

    test('a change is shown field by field, and a source that is gone is deleted', async () => {
      const other = '{ name: hourly, interval: 3600, meters: [vcpus] }';
      writeFileSync(
        file,
        pollingYaml(cloud.authUrl, COMPUTE.replace('groups: 2', 'groups: 1'), other),
      );
      assert.equal(
        await text('sources', 'plan'),
        `compute of lab would be changed: poll-lab-compute-0
    groups: 2 → 1
hourly of lab would be created: poll-lab-hourly-0
0 unchanged
`,
      );
      await text('sources', 'apply');
      writeFileSync(file, pollingYaml(cloud.authUrl, other));
      assert.equal(
        await text('sources', 'apply'),
        'compute of lab is deleted: poll-lab-compute-0\n1 unchanged\n',
      );
    });
  });
});
