/**
 * `npm run bench -- query`: usage over HTTP out of sealed windows, beside the plain `SELECT … GROUP BY` over
 * the samples that a person would write, with its best index, on the same data and server.
 */
import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { Registry } from 'prom-client';
import { digestOfSecret, newSecret } from '../api/auth.ts';
import { createApi } from '../api/handler.ts';
import { type RunningApi, serveApi } from '../api/serve.ts';
import { createClient, type NephoClient } from '../client/client.ts';
import { createApiKey } from '../db/api_keys.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { formatMicros, formatMillis, toMicros } from '../meters/timestamp.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { WORLD_RULES } from '../test/support/window_world.ts';
import { benchSeal } from './seal.ts';
import { benchStatement } from './statement.ts';
import { timed } from './timing.ts';
import { makeUsageMonth, METER, MONTH_START } from './usage_month.ts';

export interface QueryBenchOptions {
  /** Of readings; 30 are the month that the goal is about. */
  days: number;
  /** Series of the hour whose sealing is measured. */
  series: number;
  rounds: number;
}

export interface QueryFigures {
  day_by_project_p95_ms: number;
  month_by_project_p95_ms: number;
  plain_month_p95_ms: number;
  resource_p95_ms: number;
  seal_10k_s: number;
  verify_statement_ms: number;
}

type Say = (line: string) => void;

const RESOURCES = 1_000;
const PROJECTS = 50;
const READINGS_AN_HOUR = 4;
const STATEMENT_LINES = 1_000;
/** It takes long: fewer rounds tell enough. */
const PLAIN_ROUNDS = 11;
const DAY = 86_400_000_000n;

export async function benchQuery(options: QueryBenchOptions, say: Say): Promise<QueryFigures> {
  const postgres = await startPostgres({ isPrivate: true, settings: ['shared_buffers=512MB'] });
  try {
    await makeUsageMonth(postgres.url, {
      resources: RESOURCES,
      projects: PROJECTS,
      days: options.days,
      readingsAnHour: READINGS_AN_HOUR,
    }, say);
    const reading = await benchReading(postgres.url, options, say);
    const { seal_10k_s } = await benchSeal({
      databaseUrl: await postgres.createDatabase(),
      series: options.series,
    }, say);
    const { verify_statement_ms } = await benchStatement({
      databaseUrl: await postgres.createDatabase(),
      lines: STATEMENT_LINES,
    }, say);
    const { day_by_project_p95_ms, month_by_project_p95_ms, plain_month_p95_ms } = reading;
    return {
      day_by_project_p95_ms,
      month_by_project_p95_ms,
      plain_month_p95_ms,
      resource_p95_ms: reading.resource_p95_ms,
      seal_10k_s,
      verify_statement_ms,
    };
  } finally {
    await postgres.stop();
  }
}

async function benchReading(
  databaseUrl: string,
  { days, rounds }: QueryBenchOptions,
  say: Say,
): Promise<Omit<QueryFigures, 'seal_10k_s' | 'verify_statement_ms'>> {
  const db = createDatabase(databaseUrl);
  const api = await serve(db);
  try {
    const client = createClient({ url: api.url, token: await makeOperator(db) });
    const month = {
      from: MONTH_START,
      to: formatMicros(toMicros(MONTH_START) + BigInt(days) * DAY),
    };
    const middle = toMicros(MONTH_START) + BigInt(Math.floor(days / 2)) * DAY;
    const day = { from: formatMicros(middle), to: formatMicros(middle + DAY) };
    await agree(client, db.pool, month);
    const byProject = { meter: METER, group_by: ['project_id'] };
    const ask = async (
      what: string,
      input: Parameters<NephoClient['usage']['query']['query']>[0],
    ): Promise<number> => {
      const { median, p95 } = await timed(rounds, () => client.usage.query.query(input));
      say(`${what} over HTTP: median ${median} ms, p95 ${p95} ms`);
      return p95;
    };
    return {
      day_by_project_p95_ms: await ask('a day by project', { ...day, ...byProject }),
      month_by_project_p95_ms: await ask('the month by project', { ...month, ...byProject }),
      resource_p95_ms: await ask("a resource's hours", {
        ...day,
        meter: METER,
        resource_id: `resource-${'77'.padStart(24, '0')}`,
        every: 'hour',
      }),
      plain_month_p95_ms: await plainMonth(db.pool, month, say),
    };
  } finally {
    await api.close();
    await db.close();
  }
}

const PLAIN = `
  SELECT r.project_id, count(*), sum(s.volume), min(s.volume), max(s.volume)
  FROM samples s JOIN series r USING (series_id)
  WHERE r.meter = $1 AND s.ts >= $2 AND s.ts < $3
  GROUP BY r.project_id`;

/** With an index that holds all that it reads. */
async function plainMonth(
  pool: Pool,
  { from, to }: { from: string; to: string },
  say: Say,
): Promise<number> {
  await pool.query('CREATE INDEX ON samples (ts, series_id) INCLUDE (volume)');
  await pool.query('VACUUM ANALYZE');
  const { median, p95 } = await timed(PLAIN_ROUNDS, () => pool.query(PLAIN, [METER, from, to]));
  say(`the month by project from samples: median ${median} ms, p95 ${p95} ms`);
  return p95;
}

/** Both ways count the same samples, or comparing their times would mean nothing. */
async function agree(
  client: NephoClient,
  pool: Pool,
  range: { from: string; to: string },
): Promise<void> {
  const { usage } = await client.usage.query.query({
    ...range,
    meter: METER,
    group_by: ['project_id'],
  });
  const { rows } = await pool.query<{ project_id: string; count: bigint; sum: string }>(PLAIN, [
    METER,
    range.from,
    range.to,
  ]);
  const counted = new Map(
    rows.map(({ project_id, count, sum }) => [project_id, `${count} ${sum}`]),
  );
  for (const { group, count, sum, sealed } of usage) {
    if (counted.get(group['project_id'] ?? '') !== `${count} ${sum}` || !sealed) {
      throw new Error(`usage of ${group['project_id']} differs from its samples`);
    }
  }
  if (usage.length !== PROJECTS || rows.length !== PROJECTS) {
    throw new Error('a project is missing');
  }
}

async function serve(db: Database): Promise<RunningApi> {
  const quiet = (): void => {};
  const api = createApi({
    db,
    deployment: 'nepho.bench',
    shards: 1,
    archives: null,
    usageRules: WORLD_RULES,
    intake: null,
    workflows: null,
    schedules: null,
    registry: new Registry(),
    workerMetrics: null,
    log: { info: quiet, warn: quiet, error: quiet },
    now: Date.now,
  });
  return await serveApi(api, { port: 0 });
}

async function makeOperator(db: Database): Promise<string> {
  const secret = newSecret();
  await createApiKey(db.pool, {
    apiKeyId: `key-${randomUUID()}`,
    name: 'bench',
    role: 'operator',
    projectId: null,
    digest: digestOfSecret(secret),
    createdAt: formatMillis(Date.now()),
    expiresAt: null,
  });
  return secret;
}
