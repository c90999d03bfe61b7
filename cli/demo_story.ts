import type { DayStory } from './demo_statement.ts';
import { formatFields } from './table.ts';
import { shortTime } from './usage_range.ts';

/** What became of yesterday, for people. @param project name of the project that is looked at */
export function formatDay(story: DayStory, project: string): string {
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
