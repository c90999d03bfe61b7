/** Statements and webhooks, whatever happens to the workers that make them: scenarios by seed. */
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLogReaders } from '../../api/log_reader.ts';
import { statementBundleOf } from '../../api/statement_bundle.ts';
import { scanPeriods } from '../../activities/find_periods.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { listStatements } from '../../db/statements.ts';
import { attemptsOf, deliveriesOf } from '../../db/webhooks.ts';
import { deliveryIdOf } from '../../ledger/billing_identity.ts';
import { verifyStatement } from '../../ledger/verify_statement.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { BillingActors, startBillingWorkers } from './billing_actors.ts';
import { BILLING_STEPS, type BillingStep } from './billing_fault_steps.ts';
import { type BillingFaultPlan, faultBilling } from './billing_fault_plan.ts';
import { BillingWorld } from './billing_world.ts';
import { FaultTemporal } from './fault_temporal.ts';
import { testSigner } from './test_signer.ts';
import { WebhookReceiver } from './webhook_receiver.ts';
import { WindowWorld, type WorldSample } from './window_world.ts';

const ENTRY = fileURLToPath(new URL('./billing_fault_worker.ts', import.meta.url));
const LIMIT_MS = 120_000;
const HOUR_MS = 3_600_000;
/** Midnight before yesterday's, so that the day has just ended. */
const DAY = Math.floor(Date.now() / (24 * HOUR_MS)) * 24 * HOUR_MS - 24 * HOUR_MS;
const PERIOD = formatMillis(DAY).slice(0, 10);

export function stepOfSeed(seed: number): BillingStep {
  return BILLING_STEPS[(seed - 1) % BILLING_STEPS.length] ?? 'locked';
}

/** Every other round of the steps is about an amendment. */
export function amendsInSeed(seed: number): boolean {
  return Math.floor((seed - 1) / BILLING_STEPS.length) % 2 === 1;
}

const projectOf = (seed: number) => `seed-${seed}`;

export class BillingFaults {
  readonly #world: BillingWorld;
  readonly #temporal: FaultTemporal;
  readonly #receiver: WebhookReceiver;
  readonly #actors: BillingActors;
  readonly #seeds: readonly number[];

  static async start(seeds: readonly number[]): Promise<BillingFaults> {
    const hour = (n: number) => formatMillis(DAY + n * HOUR_MS);
    const windows = WindowWorld.start(Date.now(), { from: hour(-40 * 24), to: hour(10 * 24) });
    const [world, temporal, receiver] = await Promise.all([
      windows.then((one) => new BillingWorld(one)),
      FaultTemporal.start(),
      WebhookReceiver.start(),
    ]);
    const actors = await BillingActors.connect(temporal.server);
    const faults = new BillingFaults({ world, temporal, receiver, actors, seeds });
    await faults.#prepare(hour(24));
    return faults;
  }

  private constructor(parts: {
    world: BillingWorld;
    temporal: FaultTemporal;
    receiver: WebhookReceiver;
    actors: BillingActors;
    seeds: readonly number[];
  }) {
    this.#world = parts.world;
    this.#temporal = parts.temporal;
    this.#receiver = parts.receiver;
    this.#actors = parts.actors;
    this.#seeds = parts.seeds;
  }

  /** Closes, before there is any fault, what is amended afterwards. */
  async #prepare(end: string): Promise<void> {
    const amended = this.#seeds.filter(amendsInSeed);
    await this.#world.windows.append([
      sampleOf('nobody', 1, '1'),
      ...amended.map((seed) => sampleOf(projectOf(seed), 2, '5')),
    ]);
    await this.#world.seal(end);
    this.#world.config = faultBilling(null);
    for (let more = true; more;) more = (await scanPeriods(this.#world.deps())).has_more;
    for (const project of ['nobody', ...amended.map(projectOf)]) {
      await this.#world.close(
        await this.#world.order({ project_id: project, period: PERIOD, number: 0 }),
      );
    }
    await this.#world.windows.pool.query('UPDATE billing_periods SET wanted = NULL');
    this.#world.config = faultBilling(`${this.#receiver.url}/hook`);
  }

  /** Of each seed late data comes, a run begins, and the worker is killed at the seed's step. */
  async strike(): Promise<void> {
    const { windows } = this.#world;
    let next = this.#worker(0);
    for (const [index, seed] of this.#seeds.entries()) {
      const child = next;
      await windows.append([sampleOf(projectOf(seed), 3, '7')]);
      await windows.revise();
      await this.#actors.begin();
      child?.begin();
      next = this.#worker(index + 1);
      await child?.struck();
    }
  }

  #worker(index: number): FaultedWorker | null {
    const seed = this.#seeds[index];
    return seed === undefined ? null : new FaultedWorker({
      databaseUrl: this.#world.windows.url,
      ...this.#place(),
      hookUrl: `${this.#receiver.url}/hook`,
      step: stepOfSeed(seed),
    });
  }

  /** Workers that nobody kills, until all is done. */
  async recover(): Promise<void> {
    const workers = await startBillingWorkers(this.#place(), {
      ...this.#world.deps({ nowMs: Date.now }),
      readSecret: () => Promise.resolve(`whsec_${'A'.repeat(32)}`),
      readAuthorities: () => Promise.reject(new Error('none')),
    });
    const deadline = Date.now() + LIMIT_MS;
    await this.#actors.run();
    for (let open = await this.#open(); open !== ''; open = await this.#open()) {
      if (Date.now() > deadline) throw new Error(`not done: ${open}`);
      await delay(200);
    }
    await workers.stop();
  }

  /** What is wrong with a seed's project. */
  async findFaults(seed: number): Promise<string[]> {
    const { pool } = this.#world.windows;
    const projectId = projectOf(seed);
    const { rows } = await listStatements(pool, 'all', { projectId }, { limit: 100 });
    const numbers = rows.map(({ number }) => number).reverse();
    const wanted = amendsInSeed(seed) ? [0, 1] : [0];
    const faults: string[] = [];
    if (String(numbers) !== String(wanted)) {
      faults.push(`statements ${numbers.join()}, not ${wanted.join()}`);
    }
    for (const number of numbers) {
      const row = await this.#world.stored(projectId, PERIOD, number);
      const db = { db: pool, archives: null, openLog: createLogReaders(pool, null) };
      const bundle = await statementBundleOf(db, row, { role: 'operator', keyId: 'test' });
      const verdict = await verifyStatement(bundle, { vkeys: [testSigner().vkey] });
      if (!verdict.ok) faults.push(`statement ${number}: ${verdict.message}`);
    }
    const last = wanted.at(-1) ?? 0;
    const id = deliveryIdOf({ projectId, period: PERIOD, number: last, endpoint: 'hook' });
    const received = this.#receiver.received.filter(({ body }) => body.includes(`"${projectId}"`));
    const ids = new Set(received.map(({ headers }) => headers['webhook-id']));
    if (ids.size !== 1 || !ids.has(id)) faults.push(`webhooks had the ids ${[...ids].join()}`);
    if (new Set(received.map(({ body }) => body)).size !== 1) faults.push('bodies differ');
    const attempts = await attemptsOf(pool, [id], { limit: 100 });
    if (attempts.length < received.length) faults.push('an attempt is not on record');
    return faults;
  }

  /** What is wrong with all of it. */
  async findCommonFaults(): Promise<string[]> {
    const { pool } = this.#world.windows;
    const { rows } = await pool.query<{ entries: bigint; rows: bigint }>(
      `SELECT (SELECT count(*) FROM records WHERE kind = 'statement') AS entries,
         (SELECT count(*) FROM statements) AS rows`,
    );
    const [counted] = rows;
    const broken = await brokenInvariants(pool);
    return [
      ...broken.map(({ name }) => `it does not hold that ${name}`),
      ...counted?.entries === counted?.rows
        ? []
        : ['a statement has no entry, or an entry no statement'],
    ];
  }

  async stop(): Promise<void> {
    await this.#actors.close();
    await this.#receiver.stop();
    await this.#temporal.stop();
    await this.#world.windows.stop();
  }

  #place(): { address: string; bundlePath: string } {
    return { address: this.#temporal.server.address, bundlePath: this.#temporal.bundlePath };
  }

  /** The first that is not done yet; empty if all is. */
  async #open(): Promise<string> {
    const { pool } = this.#world.windows;
    for (const seed of this.#seeds) {
      const number = amendsInSeed(seed) ? 1 : 0;
      const name = { projectId: projectOf(seed), period: PERIOD, number };
      const [delivery] = await deliveriesOf(pool, name);
      if (delivery?.status !== 'delivered') return `${name.projectId}: ${delivery?.status}`;
    }
    return '';
  }
}

function sampleOf(project: string, hour: number, volume: string): WorldSample {
  return {
    origin: `${project}-${hour}`,
    meter: 'requests',
    type: 'delta',
    resource: `lb-of-${project}`,
    project,
    at: formatMillis(DAY + hour * HOUR_MS),
    volume,
  };
}

/** A worker that ends itself. */
class FaultedWorker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #told = '';

  constructor(plan: BillingFaultPlan) {
    const runtime = 'Deno' in globalThis
      ? ['run', '-A', '--no-check', '--quiet', '--node-modules-dir=manual']
      : ['--import', 'tsx'];
    this.#child = spawn(process.execPath, [...runtime, ENTRY, JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#told = (this.#told + text).slice(-10_000);
      });
    }
    // A child that was killed breaks the pipe; that is no failure here.
    this.#child.stdin?.on('error', () => {});
    const killNow = () => this.#child.kill('SIGKILL');
    process.once('exit', killNow);
    this.#ended = new Promise((resolve) =>
      this.#child.once('close', (status, signal) => {
        process.off('exit', killNow);
        resolve(signal ?? String(status));
      })
    );
  }

  begin(): void {
    this.#child.stdin?.write('begin\n');
  }

  async struck(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGTERM'), LIMIT_MS);
    const how = await this.#ended;
    clearTimeout(timer);
    if (how !== 'SIGKILL' || !this.#told.includes('"struck"')) {
      throw new Error(`The worker ended by ${how} before its step: ${this.#told}`);
    }
  }
}
