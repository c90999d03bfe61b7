import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { ApiEnv } from './api_env.ts';
import { csvLine } from './csv.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';
import { FOCUS_COLUMNS, FOCUS_NUMBERS, focusRow } from './focus_columns.ts';
import { exportUsage } from './usage_export.ts';
import type { WireUsageRow } from './usage_rows.ts';
import { type UsageInput, usageInput } from './usage_schema.ts';

/** The files that usage is exported as, below `/export`. */
export const EXPORTS = ['usage.csv', 'usage.jsonl', 'usage.focus.csv'] as const;
type ExportName = (typeof EXPORTS)[number];

/** How a kind of file is written. */
interface Writing {
  readonly contentType: string;
  readonly head: string;
  readonly line: (row: WireUsageRow) => string;
}

const CSV = 'text/csv; charset=utf-8; header=present';
/** UTF-16 units that are sent together. */
const CHUNK_LENGTH = 64 * 1024;
/** Parameters that may be given several times, or as a list with commas. */
const LISTS = ['meters', 'group_by'];

const inputSchema = z.object(usageInput).omit({ percentiles: true, fill: true });

/**
 * Usage as a stream: the same question as `usage.query`, as parameters of the URL, and all of its rows. Rows
 * are computed as they are read, so that a range of any length costs no memory.
 */
export function createExportRoutes(deps: ApiDeps) {
  const app = new Hono<ApiEnv>();
  for (const name of EXPORTS) {
    app.get(`/${name}`, async (c) => {
      const principal = c.get('principal');
      if (principal === null) throw apiError('unauthenticated', 'Cannot export without a key');
      const input = readInput(c, name);
      const { sizes, groupNames, slices } = await exportUsage(deps, principal, input);
      const provider = deps.deployment;
      const writing = writingOf(name, { groupNames, zone: input.zone, provider });
      const checkpoints = sizes.map(({ origin, size }) => ({ origin, size }));
      return c.body(streamOf(writing, slices), 200, {
        'content-type': writing.contentType,
        'content-disposition': `attachment; filename="${name}"`,
        'cache-control': 'no-store',
        // Asked for again as `as_of` of usage.query, they give the same figures.
        'x-nepho-checkpoints': JSON.stringify(checkpoints),
      });
    });
  }
  return app;
}

/** @throws {NephoError} `input_invalid` */
function readInput(c: Context<ApiEnv>, name: ExportName): UsageInput {
  const parameters: Record<string, unknown> = {};
  for (const [key, values] of Object.entries(c.req.queries())) {
    parameters[key] = LISTS.includes(key)
      ? values.flatMap((value) => value.split(','))
      : values.length === 1
      ? values[0]
      : values;
  }
  const { as_of, ...rest } = parameters;
  if (as_of !== undefined) Object.assign(rest, { as_of: readAsOf(as_of) });
  if (name === 'usage.focus.csv') Object.assign(rest, focusGroups(rest));
  const parsed = z.strictObject(inputSchema.shape).safeParse(rest);
  if (parsed.success) return { ...parsed.data, fill: 'none', percentiles: [] };
  const [issue] = parsed.error.issues;
  const place = issue?.path.join('.') ?? '';
  throw apiError(
    'input_invalid',
    `Cannot accept ${place === '' ? 'the parameters' : `'${place}'`}: ${issue?.message ?? ''}`,
  );
}

/** An instant, or a list of checkpoints as the header of an export has it. */
function readAsOf(text: unknown): unknown {
  if (typeof text !== 'string' || !text.startsWith('[')) return { instant: text };
  try {
    return { checkpoints: JSON.parse(text) as unknown };
  } catch {
    return { checkpoints: null };
  }
}

/** Each charge is of one resource, and of a span within one billing period. */
function focusGroups({ group_by, every = 'day' }: Record<string, unknown>) {
  if (group_by !== undefined) {
    throw apiError('input_invalid', "Cannot group FOCUS's charges: they are of single resources");
  }
  if (every === 'week') {
    throw apiError(
      'input_invalid',
      "Cannot give FOCUS's charges by week: a week is of two periods",
    );
  }
  return { every, group_by: ['project_id', 'resource_id'] };
}

function writingOf(
  name: ExportName,
  { groupNames, ...focus }: { groupNames: readonly string[]; zone: string; provider: string },
): Writing {
  switch (name) {
    case 'usage.jsonl':
      return {
        contentType: 'application/x-ndjson',
        head: '',
        line: (row) => `${JSON.stringify(row)}\n`,
      };
    case 'usage.csv':
      return {
        contentType: CSV,
        head: csvLine([...groupNames, ...TEXTS, ...NUMBERS, 'flags', 'sealed']),
        line: usageLine,
      };
    case 'usage.focus.csv':
      return {
        contentType: CSV,
        head: csvLine(FOCUS_COLUMNS),
        line: (row) => {
          const charge = focusRow(row, focus);
          return csvLine(
            FOCUS_COLUMNS.map((column) =>
              FOCUS_NUMBERS.has(column) ? { number: charge[column] } : charge[column]
            ),
          );
        },
      };
  }
}

const TEXTS = ['start', 'end', 'meter', 'type', 'unit', 'usage_unit'] as const;
const NUMBERS = [
  'quantity',
  'unit_seconds',
  'count',
  'sum',
  'min',
  'max',
  'avg',
  'time_weighted_mean',
  'covered',
  'rate',
] as const;

function usageLine(row: WireUsageRow): string {
  return csvLine([
    ...Object.values(row.group).map((value) => value ?? ''),
    ...TEXTS.map((name) => row[name]),
    ...NUMBERS.map((name) => ({ number: String(row[name] ?? '') })),
    row.flags.join(' '),
    String(row.sealed),
  ]);
}

/** Pulled by the reader: while it does not read, nothing is computed. Ends with it. */
function streamOf(
  { head, line }: Writing,
  slices: AsyncGenerator<WireUsageRow[], void, undefined>,
): ReadableStream<Uint8Array> {
  const chunks = chunksOf(head, line, slices);
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await chunks.return();
    },
  });
}

async function* chunksOf(
  head: string,
  line: (row: WireUsageRow) => string,
  slices: AsyncGenerator<WireUsageRow[], void, undefined>,
): AsyncGenerator<string, void, undefined> {
  let chunk = head;
  for await (const rows of slices) {
    for (const row of rows) {
      chunk += line(row);
      if (chunk.length < CHUNK_LENGTH) continue;
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
