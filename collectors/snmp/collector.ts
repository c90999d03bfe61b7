import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { Collector, Discovery, Pollster, Unit } from '../polling/pollster.ts';
import { withTimeLimit } from '../polling/time_limit.ts';
import type { ReadSecret } from '../secret_reference.ts';
import { AgentSession } from './agent_session.ts';
import { type HostNames, hostReadings, SNMP_METERS } from './host_readings.ts';
import type { SnmpAccess, SnmpSettings } from './settings_schema.ts';

export interface SnmpDeps {
  secret: ReadSecret;
}

interface SnmpHost {
  names: HostNames;
  host: string;
  port: number;
  access: SnmpAccess;
}

const DEFAULT_PORT = 161;
/** Hosts of one page. */
const PAGE = 100;
const PREFIX = 'snmp://';

/**
 * Hosts with an SNMP agent: those that the settings list, or Ceilometer's resources `snmp://host:port`, whose
 * communities and keys come from the settings too.
 */
export function createSnmpCollector(settings: SnmpSettings, deps: SnmpDeps): Collector {
  const discovery: Discovery<SnmpHost | NephoError> = {
    name: 'snmp_hosts',
    async *discover() {
      for (let start = 0; start < settings.targets.length; start += PAGE) {
        await Promise.resolve();
        yield settings.targets.slice(start, start + PAGE).map((target) => unitOf(target, settings));
      }
    },
    resource: (text) => text.startsWith(PREFIX) ? unitOfResource(text, settings) : null,
  };
  const limits = {
    timeoutMs: settings.timeout * 1_000,
    retries: settings.retries,
    maxRows: settings.max_rows,
  };
  const pollster: Pollster<SnmpHost | NephoError> = {
    name: 'snmp.host',
    meters: SNMP_METERS,
    discovery: discovery.name,
    poll: async ({ data }, context) => {
      if (isNephoError(data)) throw data;
      const time = { milliseconds: settings.deadline * 1_000, stop: context.signal };
      return await withTimeLimit(time, async (signal) => {
        const session = await AgentSession.open(data, limits, { secret: deps.secret, signal });
        try {
          return await hostReadings(session, data.names, context);
        } finally {
          session.close();
        }
      });
    },
  };
  return {
    name: 'snmp',
    discoveries: [discovery],
    pollsters: [pollster],
    close: () => Promise.resolve(),
  };
}

type Target = SnmpSettings['targets'][number];

function unitOf(target: Target, settings: SnmpSettings): Unit<SnmpHost | NephoError> {
  const { host, port = DEFAULT_PORT, resource_id: id = host } = target;
  const access = target.access ?? settings.access;
  if (access === undefined) return { id, data: noAccess(id) };
  const literal = host.includes(':') ? `[${host}]` : host;
  const resourceUrl = `${PREFIX}${literal}${port === DEFAULT_PORT ? '' : `:${port}`}`;
  return { id, data: { names: { unitId: id, resourceId: id, resourceUrl }, host, port, access } };
}

/** A resource of polling.yaml: that of a target if one has its host and port. */
function unitOfResource(text: string, settings: SnmpSettings): Unit<SnmpHost | NephoError> {
  const url = URL.canParse(text) ? new URL(text) : null;
  const host = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
  if (url === null || host === '') return { id: PREFIX, data: refused('it is no snmp://host') };
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    const remedy =
      'communities, users and keys are not taken from it: write them as access of snmp';
    return { id: host, data: refused(`${remedy}, and the resource as ${PREFIX}${url.host}`) };
  }
  const named = settings.targets.find((target) =>
    target.host === host && (target.port ?? DEFAULT_PORT) === port
  );
  return unitOf(named ?? { host, port }, settings);
}

function refused(why: string): NephoError {
  return new NephoError('request_refused', `Cannot poll a resource '${PREFIX}…': ${why}`);
}

function noAccess(id: string): NephoError {
  return new NephoError(
    'request_refused',
    `Cannot poll '${id}' by SNMP: no access is configured for it: write 'access' below 'snmp'`,
  );
}
