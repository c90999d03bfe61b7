import { isNephoError, type NephoError } from '../../meters/errors.ts';
import type { Collector, Discovery, PollContext, Pollster } from '../polling/pollster.ts';
import type { ReadSecret } from '../secret_reference.ts';
import { type Bmc, Ipmitool } from './ipmitool.ts';
import { IPMI_METERS, nodeReadings } from './node_readings.ts';
import type { IpmiSettings } from './settings_schema.ts';

export interface IpmiDeps {
  secret: ReadSecret;
  /** The name of this host, for settings that do not name it. */
  hostname: string;
}

/** How long a BMC that refuses the password is left alone: many lock the user after a few attempts. */
const REFUSED_MS = 900_000;
const PAGE = 100;

/** The sensors of BMCs, of this host or over the network, by `ipmitool`. */
export function createIpmiCollector(settings: IpmiSettings, deps: IpmiDeps): Collector {
  const tool = new Ipmitool(settings, deps.secret);
  const refusals = new Map<string, { error: NephoError; untilMs: number }>();
  const nodes = nodesOf(settings, deps.hostname);
  const discovery: Discovery<Bmc> = {
    name: 'ipmi_nodes',
    async *discover() {
      for (let start = 0; start < nodes.length; start += PAGE) {
        await Promise.resolve();
        yield nodes.slice(start, start + PAGE).map((bmc) => ({ id: bmc.name, data: bmc }));
      }
    },
  };
  const poll = async (bmc: Bmc, context: PollContext) => {
    const nowMs = Date.parse(context.now());
    const refusal = refusals.get(bmc.name);
    if (refusal !== undefined && nowMs < refusal.untilMs) throw refusal.error;
    refusals.delete(bmc.name);
    try {
      return await nodeReadings(tool, bmc, context);
    } catch (error) {
      if (isNephoError(error) && error.code === 'unauthorised') {
        refusals.set(bmc.name, { error, untilMs: nowMs + REFUSED_MS });
      }
      throw error;
    }
  };
  const pollster: Pollster<Bmc> = {
    name: 'ipmi.node',
    meters: IPMI_METERS,
    discovery: discovery.name,
    poll: (unit, context) => poll(unit.data, context),
  };
  return {
    name: 'ipmi',
    discoveries: [discovery],
    pollsters: [pollster],
    close: () => Promise.resolve(),
  };
}

function nodesOf(settings: IpmiSettings, hostname: string): Bmc[] {
  const remote = settings.targets.map((target) => ({
    name: target.resource_id ?? target.host,
    target,
  }));
  const isLocal = settings.local ?? remote.length === 0;
  return isLocal ? [{ name: settings.host ?? hostname, target: null }, ...remote] : remote;
}
