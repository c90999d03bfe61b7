import { customType } from 'drizzle-orm/pg-core';
import { canonicalTimestamp } from '../timestamp_text.ts';

/**
 * `timestamptz` as the canonical text of meters/timestamp.ts. Drizzle hands over the server's own text
 * and would otherwise make a `Date` of it, which loses the microseconds.
 */
export const instant = customType<{ data: string; driverData: string }>({
  dataType: () => 'timestamp with time zone',
  fromDriver: canonicalTimestamp,
});

/** `bytea` as bytes. Drizzle 0.45 has no column of its own for it. */
export const bytea = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => 'bytea',
  toDriver: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
});
