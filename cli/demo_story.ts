import type { IntakePublisher } from '../bus/publisher.ts';
import type { NephoClient } from '../client/client.ts';
import { assert } from '../meters/assert.ts';
import type { DemoActors } from './demo_actors.ts';
import { projectNames } from './demo_cloud.ts';
import { DEMO_SEED, startOfYesterday, tellLate } from './demo_feed.ts';
import { type DayStory, liveThrough } from './demo_statement.ts';
import { formatFields } from './table.ts';
import { shortTime } from './usage_range.ts';

export interface StatementFigure {
  /** In all logs, so far. */
  sealed_hours: number;
  /** Of yesterday, and the amendments to them. */
  statements: number;
  amendments: number;
  /** Windows that were revised because of what came late. */
  revisions: number;
  statement_verified: boolean;
}

/** Yesterday, billed and amended: what became of the statement, and why one of its lines is as it is. */
export async function tellYesterday(
  { publisher, drained, ...parts }: {
    nepho: NephoClient;
    actors: DemoActors;
    /** The public keys that are believed: of the key files here. */
    vkeys: readonly string[];
    publisher: Pick<IntakePublisher, 'publishAll'>;
    /** Waits until all that was published is stored. */
    drained: () => Promise<void>;
    signal: AbortSignal;
  },
): Promise<{ figure: StatementFigure; text: string }> {
  const [project] = projectNames(DEMO_SEED);
  assert(project !== undefined, 'the demonstration cloud has projects');
  const [projectId, name] = project;
  const dayMs = startOfYesterday(Date.now());
  const story = await liveThrough({
    ...parts,
    dayMs,
    projectId,
    tellLate: async () => {
      const messageId = await tellLate(publisher, dayMs);
      await drained();
      return messageId;
    },
  });
  const figure: StatementFigure = {
    sealed_hours: story.sealedHours,
    statements: story.statements,
    amendments: story.amendments,
    revisions: story.revisions,
    // It throws for one that is not.
    statement_verified: story.verified.ok,
  };
  return { figure, text: formatDay(story, name) };
}

/** What became of yesterday, for people. @param project name of the project that is looked at */
function formatDay(story: DayStory, project: string): string {
  const { verified, line: { index, line, window }, sample: { sample, origin, log } } = story;
  const { statement, digest, size, origin: logName, signedBy } = verified;
  const { period, number } = statement;
  return [
    '',
    `Sealed so far: ${story.sealedHours} hours. Closed for ${period}: ${story.statements} statements.`,
    `Then a notification of noon came late: windows revised: ${story.revisions}, amendments: ${story.amendments}`,
    '',
    `Amendment ${number} to the statement of ${project} for ${period}: verified`,
    ...fields([
      ['what', `${statement.lines.length} lines, ${statement.totals.length} totals`],
      ['digest', digest],
      ['where', `entry ${verified.index} of ${size} in ${logName}`],
      ...signedBy.map((vkey) => ['signed', vkey] as const),
    ]),
    `Its line ${index}, explained`,
    ...fields([
      ['what', `${line.meter}: ${line.quantity} ${line.usage_unit}`],
      ['more', `${line.difference} than in the statement before`],
      [
        'sums',
        `${line.windows.count} windows; that of ${
          shortTime(window.start)
        } is revision ${window.revision}`,
      ],
      [
        'since',
        `sample ${sample.id}: ${sample.volume} ${sample.unit} at ${shortTime(sample.timestamp)}`,
      ],
      ['where', `entry ${log.leaf_index} of log ${log.log_id}`],
      ['came by', `${origin.event_type}, message ${origin.id}`],
      ['received', shortTime(origin.received_at)],
    ]),
    '',
  ].join('\n');
}

function fields(rows: readonly (readonly [string, unknown])[]): string[] {
  return formatFields(rows).trimEnd().split('\n').map((row) => `  ${row}`);
}
