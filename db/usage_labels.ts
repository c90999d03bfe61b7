import type { Queryable } from './client.ts';
import { literal } from './insert_batch.ts';

/** A path of metadata as `flavor.name`: the key `name` of `flavor`, or the key `flavor.name`. */
export type LabelPath = string;

/** UTF-16 units of a value by which usage is told apart. */
const MAX_LABEL_LENGTH = 1_024;

/**
 * What the metadata say at some paths, as the JSON of a list of texts: numbers, truth values and structures
 * as JSON writes them, null where nothing is.
 *
 * @returns the text for a number of metadata
 */
export async function readLabels(
  db: Queryable,
  ids: ReadonlySet<number>,
  paths: readonly LabelPath[],
): Promise<(metadataId: number | undefined) => string | null> {
  if (ids.size === 0 || paths.length === 0) return () => null;
  const keys = paths.map((_, index) =>
    `left(coalesce(b.body ->> $${index + 2}, b.body #>> string_to_array($${
      index + 2
    }, '.')), ${MAX_LABEL_LENGTH})`
  );
  const { rows } = await db.query<{ metadata_id: number; values: (string | null)[] }>(
    // A text may hold the escape of NUL, which jsonb refuses.
    `SELECT metadata_id, ARRAY[${keys.join(', ')}] AS values
     FROM (SELECT metadata_id, replace(body, '\\u0000', '\\ufffd')::jsonb AS body
           FROM metadata WHERE metadata_id = ANY($1::int[])) b`,
    [literal([...ids]), ...paths],
  );
  const labels = new Map(rows.map(({ metadata_id, values }) => [
    metadata_id,
    JSON.stringify(values),
  ]));
  return (metadataId) => metadataId === undefined ? null : labels.get(metadataId) ?? null;
}
