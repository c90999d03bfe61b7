import type { NatsConnection } from '@nats-io/nats-core';
import { errorMessage } from '../meters/errors.ts';

/** When nats-server writes through to the disk what it has acknowledged. */
export type SyncInterval =
  | { known: true; always: boolean; seconds: number; warning: string | null }
  | { known: false; always: false; seconds: null; warning: string };

const LIMIT_MS = 2_000;
const NANOS_PER_SECOND = 1e9;

/**
 * Finds out whether the server may lose what it has acknowledged when its machine fails: it does, up to
 * two minutes of it, unless `jetstream { sync_interval: always }` is set. (Restarts of the process alone
 * lose nothing.)
 *
 * An ordinary client is not told. This asks the server's monitoring (`/jsz?config=1`) where its address
 * is known, then the system account, which answers only to who may use it; else it says that it does not
 * know.
 *
 * @param monitorUrl `http://host:8222`, or null if there is none
 */
export async function readSyncInterval(
  nc: NatsConnection,
  monitorUrl: string | null,
): Promise<SyncInterval> {
  const failures: string[] = [];
  const sources = [
    ...(monitorUrl === null ? [] : [() => askMonitor(monitorUrl)]),
    () => askSystemAccount(nc),
  ];
  for (const ask of sources) {
    try {
      return judge(await ask());
    } catch (error) {
      failures.push(errorMessage(error));
    }
  }
  return {
    known: false,
    always: false,
    seconds: null,
    warning:
      'Cannot tell whether nats-server writes through what it acknowledges: its monitoring is not ' +
      `reachable (${
        failures.join('; ')
      }); see to it that it has 'sync_interval: always', or that ` +
      'senders can send again',
  };
}

async function askMonitor(monitorUrl: string): Promise<unknown> {
  const answer = await fetch(new URL('/jsz?config=1', monitorUrl), {
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  if (!answer.ok) throw new Error(`${monitorUrl} answered ${answer.status}`);
  return memberOf(await answer.json(), 'config');
}

async function askSystemAccount(nc: NatsConnection): Promise<unknown> {
  const server = nc.info?.server_id ?? '';
  const answer = await nc.request(
    `$SYS.REQ.SERVER.${server}.JSZ`,
    JSON.stringify({ config: true }),
    { timeout: LIMIT_MS },
  );
  return memberOf(memberOf(answer.json(), 'data'), 'config');
}

function judge(config: unknown): SyncInterval {
  const nanos = memberOf(config, 'sync_interval');
  const always = memberOf(config, 'sync_always') === true;
  if (typeof nanos !== 'number') throw new Error('the server did not say its sync_interval');
  const seconds = nanos / NANOS_PER_SECOND;
  return {
    known: true,
    always,
    seconds,
    warning: always
      ? null
      : `nats-server acknowledges messages up to ${seconds} s before they are on the disk: set ` +
        "'sync_interval: always' in its jetstream block, or a power failure can lose usage",
  };
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) throw new Error(`no '${key}' in the answer`);
  return new Map<string, unknown>(Object.entries(value)).get(key);
}
