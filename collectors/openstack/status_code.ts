import type { JsonValue } from '../../meters/json.ts';

/** Codes of a status, by its word in lower case. */
export type StatusCodes = Readonly<Record<string, number>>;

/** Ceilometer's code for a status that has none. */
export const UNKNOWN_STATUS = -1;

/**
 * Floating IPs, VPN services and firewalls.
 * Source: ceilometer/network/services/base.py.
 */
export const NETWORK_STATUS: StatusCodes = {
  inactive: 0,
  active: 1,
  pending_create: 2,
  down: 3,
  created: 4,
  pending_update: 5,
  pending_delete: 6,
  error: 7,
};

/** Source: ceilometer/load_balancer/octavia.py. */
export const OPERATING_STATUS: StatusCodes = {
  online: 1,
  draining: 2,
  offline: 3,
  degraded: 4,
  error: 5,
  no_monitor: 6,
};

/** Source: ceilometer/load_balancer/octavia.py. */
export const PROVISIONING_STATUS: StatusCodes = {
  active: 1,
  deleted: 2,
  error: 3,
  pending_create: 4,
  pending_update: 5,
  pending_delete: 6,
};

/** The older meters `network.services.lb.*` number the same words otherwise; 2 was never used. */
export const LBAAS_V2_STATUS: StatusCodes = {
  offline: 0,
  online: 1,
  no_monitor: 3,
  error: 4,
  degraded: 5,
  disabled: 6,
};

/** Source: ceilometer/dns/designate.py. */
export const ZONE_STATUS: StatusCodes = { active: 1, pending: 2, error: 3, deleted: 4 };

/** Source: ceilometer/share/manila.py. */
export const SHARE_STATUS: StatusCodes = {
  available: 1,
  creating: 2,
  deleting: 3,
  error: 4,
  error_deleting: 5,
  migrating: 6,
  extending: 7,
  shrinking: 8,
  reverting: 9,
  inactive: 10,
  manage_starting: 11,
  manage_error: 12,
  unmanage_starting: 13,
  unmanage_error: 14,
  unmanaged: 15,
  extending_error: 16,
  shrinking_error: 17,
  reverting_error: 18,
  awaiting_transfer: 19,
  backup_creating: 20,
  backup_restoring: 21,
  backup_restoring_error: 22,
  creating_from_snapshot: 23,
  shrinking_possible_data_loss_error: 24,
  migrating_to: 25,
  replication_change: 26,
};

/** The code of a status; {@link UNKNOWN_STATUS} for another word, undefined for no word at all. */
export function statusCode(codes: StatusCodes, value: JsonValue | undefined): number | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const word = value.toLowerCase();
  return Object.hasOwn(codes, word) ? codes[word] : UNKNOWN_STATUS;
}
