/** How OpenStack's services wrap what they notify: the v2 envelope of oslo.messaging. */
import type { SeededRandom } from './random.ts';

export interface DemoNotification {
  /** When it happened: milliseconds since 1970. */
  atMs: number;
  /** The service's exchange and the routing key, as RabbitMQ would carry it. */
  exchange: string;
  routingKey: string;
  /** The message as it is sent. */
  body: string;
}

/** A payload before it has a time and an envelope. */
export interface Event {
  exchange: string;
  publisherId: string;
  eventType: string;
  payload: Record<string, unknown>;
  /** Who asked for it; null for a periodic task of the service, or one that sends no context. */
  actor: { userId: string; userName: string; projectId: string; projectName: string } | null;
}

/** `2026-01-31 23:59:59.123456`: naive UTC, as services write their times. `atMs` may have a fraction. */
export function osloTime(atMs: number): string {
  const micros = Math.round((atMs % 1) * 1_000);
  const text = new Date(Math.floor(atMs)).toISOString().replace('T', ' ').slice(0, -1);
  return text + String(micros).padStart(3, '0');
}

/** `2026-01-31T23:59:59Z`, as Glance and Neutron write when something was made. */
export function isoSeconds(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

export function wrap(event: Event, atMs: number, random: SeededRandom): DemoNotification {
  const message = {
    message_id: random.uuid(),
    publisher_id: event.publisherId,
    event_type: event.eventType,
    priority: 'INFO',
    payload: event.payload,
    timestamp: osloTime(atMs),
    _unique_id: random.hex(32),
    ...contextOf(event, atMs, random),
  };
  const envelope = { 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) };
  return {
    atMs,
    exchange: event.exchange,
    routingKey: 'notifications.info',
    body: JSON.stringify(envelope),
  };
}

/** The request's context, flattened as services of today send it. */
function contextOf({ actor }: Event, atMs: number, random: SeededRandom): Record<string, unknown> {
  if (actor === null) return {};
  return {
    _context_user: actor.userId,
    _context_user_id: actor.userId,
    _context_user_name: actor.userName,
    _context_project: actor.projectId,
    _context_project_id: actor.projectId,
    _context_tenant_id: actor.projectId,
    _context_project_name: actor.projectName,
    _context_is_admin: false,
    _context_read_only: false,
    _context_show_deleted: false,
    _context_auth_token: null,
    _context_request_id: `req-${random.uuid()}`,
    _context_global_request_id: null,
    _context_resource_uuid: null,
    _context_roles: ['reader', 'member'],
    _context_user_identity: `${actor.userId} ${actor.projectId} - default default`,
    _context_timestamp: osloTime(atMs),
  };
}
