import { readFileSync } from 'node:fs';
import { parseExactJson } from '../../meters/exact_json.ts';
import { isJsonObject, type JsonObject } from '../../meters/json.ts';

const RECORDED = new URL('../golden/ceilometer_agents.jsonl', import.meta.url);

/** A message of a Ceilometer agent, made by its own code: test/conformance/ceilometer_agents.py. */
export interface AgentMessage {
  /** Empty where the agent signed nothing. */
  secret: string;
  /** As on the wire. */
  body: string;
  /** What Ceilometer's notification agent makes of it, if it takes such messages. */
  samples: JsonObject[] | null;
}

/** From a poller, from the `notifier` publisher, and from a poller without a secret. */
export function recordedAgentMessages(): [AgentMessage, AgentMessage, AgentMessage] {
  return parseAgentMessages(readFileSync(RECORDED, 'utf8'));
}

/** The same three from what the script prints. */
export function parseAgentMessages(text: string): [AgentMessage, AgentMessage, AgentMessage] {
  const [polling, metering, unsigned] = text.trimEnd().split('\n').map(readLine);
  if (!polling || !metering || !unsigned) throw new Error('The recording lacks a message');
  return [polling, metering, unsigned];
}

function readLine(line: string): AgentMessage {
  const value = parseExactJson(line);
  if (!isJsonObject(value)) throw new Error('A recorded line is no object');
  const { secret, message, samples } = value;
  if (typeof secret !== 'string' || typeof message !== 'string') {
    throw new Error('A recorded line lacks its secret or its message');
  }
  return {
    secret,
    body: message,
    samples: Array.isArray(samples) ? samples.filter(isJsonObject) : null,
  };
}
