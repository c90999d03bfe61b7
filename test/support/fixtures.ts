import { readFileSync } from 'node:fs';

/** A notification as it was on the wire, see `scripts/record_fixtures.ts`. */
export interface RecordedNotification {
  exchange: string;
  routing_key: string;
  /** The AMQP body: oslo's envelope, its message a text inside. */
  body: string;
}

/** What a small OpenStack published while its services were made to work, in order. */
export function recordedNotifications(): RecordedNotification[] {
  const file = new URL('../fixtures/notifications/little_cloud.jsonl', import.meta.url);
  return readFileSync(file, 'utf8').trimEnd().split('\n').map((line): RecordedNotification =>
    JSON.parse(line)
  );
}
