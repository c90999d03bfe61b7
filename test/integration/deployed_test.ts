/** The parts of a deployment as processes of their own, on servers that somebody else runs. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { startAnnounced } from '../../cli/announced_child.ts';
import { ownCommand } from '../../cli/own_program.ts';
import { Supervisor } from '../../cli/processes.ts';
import { createKeyFile } from '../../ledger/key_file.ts';
import { recordedNotifications } from '../support/fixtures.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { nepho } from '../support/nepho_command.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';
import {
  startTemporal,
  type TemporalServer,
  temporalSkipReason,
} from '../support/temporal_server.ts';

const skip = natsSkipReason() || temporalSkipReason() || postgresSkipReason();
const folder = mkdtempSync(path.join(tmpdir(), 'nepho-deployed-'));
const operatorKey = path.join(folder, 'operator.key');
const signingKey = path.join(folder, 'signing.key');
const READY = { timeoutMs: 120_000 };

let servers: { postgres: PostgresServer; nats: NatsServer; temporal: TemporalServer };
let env: Record<string, string> = {};
const failures: string[] = [];
const parts = new Supervisor(({ message }) => failures.push(message));

before(async () => {
  if (skip !== false) return;
  const [postgres, nats, temporal] = await Promise.all([
    startPostgres(),
    startNats(),
    startTemporal(),
  ]);
  servers = { postgres, nats, temporal };
  env = {
    NEPHO_HOME: folder,
    DATABASE_URL: postgres.url,
    NEPHO_NATS_URL: nats.url,
    NEPHO_TEMPORAL_ADDRESS: temporal.address,
    NEPHO_DEPLOYMENT: 'metering.test',
    NEPHO_SIGNING_KEY: '',
    NEPHO_SIGNING_KEY_FILE: '',
    NEPHO_URL: '',
    NEPHO_TOKEN: '',
  };
});

after(async () => {
  await parts.stop();
  if (skip === false) {
    const { postgres, nats, temporal } = servers;
    await Promise.all([postgres.stop(), nats.stop(), temporal.stop()]);
  }
  rmSync(folder, { recursive: true, force: true });
});

test('a worker without a signing key refuses to start', { skip }, async () => {
  const { status, stderr } = await nepho(['worker'], { env });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /no signing key is configured and there is no default.*\(signing_key_missing\)/,
  );
});

test('a worker and an API refuse a database that was never migrated', { skip }, async () => {
  await createKeyFile(signingKey);
  env['NEPHO_SIGNING_KEY_FILE'] = signingKey;
  for (const part of ['worker', 'api']) {
    const { status, stderr } = await nepho([part], { env });
    assert.equal(status, 1);
    assert.match(stderr.trim(), /run 'nepho migrate' first \(schema_missing\)$/);
  }
});

test("migrate makes schema, partitions and the first operator's key, once", { skip }, async () => {
  const first = await nepho(['migrate', '--operator-key', operatorKey, '--json'], { env });
  assert.equal(first.status, 0, first.stderr);
  const report = JSON.parse(first.stdout);
  assert.ok(report.after > 0 && report.partitions > 12 && report.operator_key_made, first.stdout);
  assert.equal(statSync(operatorKey).mode & 0o077, 0);
  const key = readFileSync(operatorKey, 'utf8');
  const second = await nepho(['migrate', '--operator-key', operatorKey, '--json'], { env });
  const again = JSON.parse(second.stdout);
  assert.deepEqual([again.before, again.partitions, again.operator_key_made], [
    report.after,
    0,
    false,
  ]);
  assert.equal(readFileSync(operatorKey, 'utf8'), key);
});

test(
  'a notification that is sent becomes a sample with a receipt that verifies',
  { skip },
  async () => {
    const logFile = path.join(folder, 'part.log');
    const start = (name: string, args: string[]) =>
      startAnnounced(parts, { name, ...ownCommand(...args), environment: env, logFile }, {
        ...READY,
        schema: z.object({ url: z.string().optional() }),
      });
    const [{ url = '' }] = await Promise.all([
      start('api', ['api', '--port', '0']),
      start('worker', ['worker']),
    ]);
    const client = {
      ...env,
      NEPHO_URL: url,
      NEPHO_TOKEN: readFileSync(operatorKey, 'utf8').trim(),
    };
    const body = recordedNotifications().map((each) => each.body)
      .find((text) => text.includes('compute.instance.create.end'));
    const sent = await nepho(['send', '-'], { env: client, input: body ?? '' });
    assert.equal(sent.status, 0, sent.stderr);
    let sample: { id: string; project_id: string } | undefined;
    while (sample === undefined) {
      const { stdout, stderr } = await nepho(['samples', '--meter', 'vcpus', '--json'], {
        env: client,
      });
      assert.deepEqual(failures, []);
      assert.equal(stderr, '');
      sample = JSON.parse(stdout).samples[0];
      if (sample === undefined) await delay(100);
    }
    const receipt = path.join(folder, 'sample.receipt');
    const fetched = await nepho(['receipt', sample.id, '-o', receipt], { env: client });
    assert.equal(fetched.status, 0, fetched.stderr);
    const verified = await nepho(['verify', receipt], { env });
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout, /metering\.test\/log\/\d/);
    await parts.stop();
    assert.deepEqual(failures, []);
  },
);
