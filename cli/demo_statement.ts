/** Yesterday in the demonstration cloud: sealed, billed, corrected by what came late, and proven. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NephoClient, NephoOutputs } from '../client/client.ts';
import { parseStatementBundle } from '../ledger/statement_bundle.ts';
import { parseStatement, type StatementLine } from '../ledger/statement_document.ts';
import { type VerifiedStatement, verifyStatement } from '../ledger/verify_statement.ts';
import { parseWindow, type WindowRecord } from '../ledger/window_record.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import type { DemoActors } from './demo_actors.ts';
import { LATE_METER } from './demo_cloud.ts';
import { withProgress } from './progress.ts';

const DAY_MS = 24 * 3_600_000;
const LOOK_EVERY_MS = 250;
const PAGE = 1_000;
/** A step that takes longer is broken. */
const STEP_MS = 300_000;

export interface DemoDay {
  nepho: NephoClient;
  actors: DemoActors;
  /** First instant of the day, milliseconds since 1970, and the project that is looked at. */
  dayMs: number;
  projectId: string;
  /** The public keys that are believed: of the key files here. */
  vkeys: readonly string[];
  /** Tells of the late notification, and waits until it is stored. @returns its `message_id` */
  tellLate: () => Promise<string>;
  signal: AbortSignal;
}

export interface DayStory {
  /** In all logs, so far. */
  sealedHours: number;
  /** Of the day, of all projects. */
  statements: number;
  amendments: number;
  /** Revisions of windows that the late notification made. */
  revisions: number;
  /** The last amendment, believed by its evidence alone, with the windows of the line below. */
  verified: VerifiedStatement;
  /** The line that the late notification changed, and the way from there down to it. */
  line: { index: number; line: StatementLine; window: WindowRecord };
  sample: NephoOutputs['samples']['explain'];
}

/** @throws {NephoError} `demo_stuck` if a step does not end */
export async function liveThrough(day: DemoDay): Promise<DayStory> {
  const { nepho, actors, projectId } = day;
  const period = formatMillis(day.dayMs).slice(0, 10);
  const sealedHours = await untilSealed(day);
  await actors.bill();
  const closed = async (number: number) => {
    const { statements } = await nepho.statements.list.query({ period, limit: PAGE });
    const isThere = statements.some((one) => one.project_id === projectId && one.number >= number);
    return isThere ? statements : null;
  };
  await until(day, 'Billing yesterday', () => closed(0));
  const messageId = await day.tellLate();
  await actors.look();
  const revisions = await until(day, 'Revising what came late', () => revisionsOf(day));
  await actors.bill();
  const all = await until(day, 'Amending the statement', () => closed(1));
  const amendments = all.filter(({ number }) => number > 0).length;
  const proven = await prove(day, period);
  const sample = await sampleOf(day, proven.line.window, messageId);
  const statements = all.length - amendments;
  return { sealedHours, statements, amendments, revisions, ...proven, sample };
}

async function untilSealed(day: DemoDay): Promise<number> {
  const end = formatMillis(day.dayMs + DAY_MS);
  let hours = 0;
  return await until(day, 'Sealing yesterday', async () => {
    const sealing = await day.actors.sealing(end);
    hours = sealing.hours;
    return sealing.done ? hours : null;
  }, () => `${hours} hours`);
}

async function revisionsOf({ nepho, projectId, dayMs }: DemoDay): Promise<number | null> {
  const { windows } = await nepho.windows.list.query({
    meter: LATE_METER,
    project_id: projectId,
    from: formatMillis(dayMs),
    to: formatMillis(dayMs + DAY_MS),
  });
  const revised = windows.filter(({ revision }) => revision > 0).length;
  return revised === 0 ? null : revised;
}

/** The last amendment with its evidence, which is checked here and believed by our own keys alone. */
async function prove(
  { nepho, projectId, vkeys }: DemoDay,
  period: string,
): Promise<Pick<DayStory, 'verified' | 'line'>> {
  const name = { project_id: projectId, period };
  const { head, bundle } = await nepho.statements.bundle.query(name);
  const { number } = head;
  const former = await nepho.statements.bundle.query({ ...name, number: number - 1 });
  const { lines } = parseStatement(parseStatementBundle(bundle).document);
  const index = lines.findIndex(({ meter, difference }) =>
    meter === LATE_METER && difference !== '0'
  );
  const line = lines[index];
  assert(line !== undefined, 'the amendment has the line that the late notification changed');
  const { windows } = await nepho.statements.lineWindows.query({
    ...name,
    number,
    line: index,
    limit: PAGE,
  });
  const verified = await verifyStatement(bundle, {
    vkeys,
    former: parseStatementBundle(former.bundle).document,
    windows: [{ line: index, records: windows }],
  });
  if (!verified.ok) {
    throw new NephoError(
      'statement_refused',
      `Cannot verify statement ${number} of ${period}: ${verified.message}, at step '${verified.step}'`,
    );
  }
  const window = windows.map(parseWindow).find(({ revision }) => revision > 0);
  assert(window !== undefined, 'the line sums the window that was revised');
  return { verified, line: { index, line, window } };
}

/** From the revised window to the sample of the late notification, and where that came from. */
async function sampleOf(
  { nepho, projectId }: DemoDay,
  { meter, resource_id, start, end }: WindowRecord,
  messageId: string,
): Promise<NephoOutputs['samples']['explain']> {
  const { samples } = await nepho.samples.list.query({
    meter,
    resource_id,
    project_id: projectId,
    from: start,
    to: end,
  });
  for (const { id, timestamp } of samples) {
    const story = await nepho.samples.explain.query({ id, timestamp });
    if (story.origin.id === messageId) return story;
  }
  throw new NephoError(
    'no_figure',
    'Cannot explain the amendment: the late notification gave no sample',
  );
}

/** Looks until there is something. */
async function until<T>(
  { signal }: DemoDay,
  title: string,
  look: () => Promise<T | null>,
  detail: () => string = () => '',
): Promise<T> {
  const deadline = Date.now() + STEP_MS;
  return await withProgress(title, async () => {
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      signal.throwIfAborted();
      if (Date.now() > deadline) {
        throw new NephoError(
          'demo_stuck',
          `Cannot go on: '${title}' does not end, see the logs of the worker`,
        );
      }
      await delay(LOOK_EVERY_MS);
    }
  }, { detail });
}
