import type { z } from 'zod';
import type { ChildSpec } from './guarded_child.ts';
import type { Supervisor } from './processes.ts';

export interface Announcement<T> {
  /** What the line of JSON holds beside `ready`. */
  schema: z.ZodType<T>;
  timeoutMs: number;
}

/**
 * Starts a part of nepho that says by one line of JSON on standard output when it serves, see
 * `announceReady`.
 *
 * @throws {NephoError} `process_failed`
 */
export async function startAnnounced<T>(
  supervisor: Supervisor,
  spec: Omit<ChildSpec, 'onLine'>,
  { schema, timeoutMs }: Announcement<T>,
): Promise<T> {
  let onLine: (line: string) => void = () => {};
  const firstLine = new Promise<string>((resolve) => onLine = resolve);
  const child = await supervisor.start({ ...spec, onLine: (line) => onLine(line) });
  const line = await child.until(() => firstLine, timeoutMs);
  return schema.parse(JSON.parse(line));
}
