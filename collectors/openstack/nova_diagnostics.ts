import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import { CircuitBreaker } from '../http/circuit_breaker.ts';
import type { PollContext, Pollster, Unit } from '../polling/pollster.ts';
import { DIAGNOSTICS_METERS, diagnosticsReadings } from './nova_counters.ts';
import { NOVA_HEADERS, novaPath } from './nova_path.ts';
import { type ListedServer, serverOf } from './nova_server.ts';
import type { OpenStackSession } from './session_interface.ts';

const RUNNING = 1;
/** Servers in a row that a host does not answer for before it is left alone, and for how long. */
const HOST_FAILURES = 3;
const HOST_REST_MS = 60_000;
/** What a host that is away looks like from Nova's API. */
const HOST_TROUBLE: ReadonlySet<string> = new Set(['timeout', 'server_error', 'unreachable']);

/**
 * Counters of a server, one call for each: Nova asks the server's host. Only a server that runs has
 * any, so of others nothing is expected, as with Ceilometer.
 */
export function novaDiagnostics(session: OpenStackSession): Pollster {
  const hosts = new HostBreakers();
  return {
    name: 'nova.diagnostics',
    discovery: 'servers',
    meters: DIAGNOSTICS_METERS,
    async poll(unit, context) {
      const server = serverOf(unit);
      if (server.item['OS-EXT-STS:power_state'] !== RUNNING) return [];
      const diagnostics = await hosts.guard(hostOf(server.item), () => ask(session, unit, context));
      if (diagnostics === null) return [];
      return diagnosticsReadings(unit.id, server, { diagnostics, context });
    },
  };
}

/** The answer; null if the server has been stopped since the listing, or is not yet on a host. */
async function ask(
  session: OpenStackSession,
  unit: Unit,
  { signal }: PollContext,
): Promise<JsonObject | null> {
  try {
    const path = novaPath(`/servers/${encodeURIComponent(unit.id)}/diagnostics`);
    return await session.get('compute', path, { signal, headers: NOVA_HEADERS });
  } catch (error) {
    if (isNephoError(error) && error.context.status === 409) return null;
    throw error;
  }
}

interface Host {
  name: string | null;
  isDown: boolean;
}

function hostOf(server: ListedServer['item']): Host {
  const name = server['OS-EXT-SRV-ATTR:host'];
  return {
    name: typeof name === 'string' && name !== '' ? name : null,
    isDown: server['host_status'] === 'DOWN',
  };
}

/** Leaves a compute host alone that does not answer, so that its servers do not hold up the others. */
class HostBreakers {
  readonly #breakers = new Map<string, CircuitBreaker>();

  /** @throws {NephoError} `unreachable` or `circuit_open`, or what `ask` throws */
  async guard<Value>(host: Host, ask: () => Promise<Value>): Promise<Value> {
    const { name } = host;
    if (name === null) return await ask();
    if (host.isDown) {
      throw new NephoError(
        'unreachable',
        `Cannot read counters: Nova says that host '${name}' is down`,
        {
          retryable: true,
          context: { host: name },
        },
      );
    }
    const breaker = this.#breakers.get(name) ?? newBreaker();
    if (breaker.refusedForMs() !== null) throw left(name);
    try {
      const value = await ask();
      this.#breakers.delete(name);
      return value;
    } catch (error) {
      if (isNephoError(error) && HOST_TROUBLE.has(error.code)) {
        this.#breakers.set(name, breaker);
        breaker.fail();
      } else breaker.abandon();
      throw error;
    }
  }
}

function newBreaker(): CircuitBreaker {
  return new CircuitBreaker({
    failures: HOST_FAILURES,
    openMs: HOST_REST_MS,
    clockMs: () => performance.now(),
  });
}

function left(host: string): NephoError {
  return new NephoError(
    'circuit_open',
    `Cannot read counters: host '${host}' did not answer for servers before and is left alone for a minute`,
    { retryable: true, context: { host } },
  );
}
