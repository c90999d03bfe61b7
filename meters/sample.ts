import type { JsonObject } from './json.ts';

/** Ceilometer's three kinds of meter. */
export const METER_TYPES = ['gauge', 'delta', 'cumulative'] as const;
export type MeterType = (typeof METER_TYPES)[number];

/**
 * What a definition reads from a notification, or a pollster from an endpoint: a sample before it has
 * an identity and a place in the log.
 */
export interface Reading {
  meter: string;
  type: MeterType;
  unit: string;
  /** An exact decimal in canonical form, see `quantity.ts`. */
  volume: string;
  resource_id: string;
  project_id: string | null;
  user_id: string | null;
  /** UTC with microseconds, `2026-01-31T23:59:59.123456Z`, see `timestamp.ts`. */
  timestamp: string;
  metadata: JsonObject;
}

/** The wire form of a sample, with Ceilometer's names. */
export interface Sample extends Reading {
  /** 32 lower-case hexadecimal digits, derived from the content: see `ledger/identity.ts`. */
  id: string;
  /** The cloud or agent that it comes from, `openstack` unless configured. */
  source: string;
  /** When it entered the log: UTC with microseconds. */
  recorded_at: string;
}
