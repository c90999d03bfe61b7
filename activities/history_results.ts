import { Buffer } from 'node:buffer';
import { isJsonObject, type JsonObject, type JsonValue } from '../meters/json.ts';

/** The results of the activities that completed, by type, in their order. */
export function resultsOf(history: JsonObject): Map<string, JsonObject[]> {
  const types = new Map<string, string>();
  const results = new Map<string, JsonObject[]>();
  const events = history['events'];
  for (const event of Array.isArray(events) ? events : []) {
    if (!isJsonObject(event)) continue;
    const scheduled = event['activityTaskScheduledEventAttributes'];
    const completed = event['activityTaskCompletedEventAttributes'];
    if (isJsonObject(scheduled)) {
      const type = scheduled['activityType'];
      const name = isJsonObject(type) ? type['name'] : undefined;
      if (typeof name === 'string') types.set(JSON.stringify(event['eventId']), name);
    } else if (isJsonObject(completed)) {
      const name = types.get(JSON.stringify(completed['scheduledEventId'])) ?? '';
      const result = payloadOf(completed['result']);
      if (isJsonObject(result)) results.set(name, [...results.get(name) ?? [], result]);
    }
  }
  return results;
}

function payloadOf(value: JsonValue | undefined): JsonValue | null {
  const payloads = isJsonObject(value) ? value['payloads'] : undefined;
  const [first] = Array.isArray(payloads) ? payloads : [];
  const data = isJsonObject(first) ? first['data'] : undefined;
  if (typeof data !== 'string') return null;
  try {
    return JSON.parse(Buffer.from(data, 'base64').toString('utf8')) as JsonValue;
  } catch {
    return null;
  }
}
