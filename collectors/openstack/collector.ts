import type { Collector, Discovery, PollContext, Pollster } from '../polling/pollster.ts';
import { aodhDiscoveries, aodhPollsters } from './aodh.ts';
import { cinderDiscoveries, cinderPollsters } from './cinder.ts';
import { designateDiscoveries, designatePollsters } from './designate.ts';
import { glanceDiscoveries, glancePollsters } from './glance.ts';
import { heatDiscoveries, heatPollsters } from './heat.ts';
import { identityDiscoveries, identityPollsters } from './identity.ts';
import { magnumDiscoveries, magnumPollsters } from './magnum.ts';
import { manilaDiscoveries, manilaPollsters } from './manila.ts';
import { neutronDiscoveries, neutronPollsters } from './neutron.ts';
import { novaDiscoveries, novaPollsters } from './nova.ts';
import { octaviaDiscoveries, octaviaPollsters } from './octavia.ts';
import type { OpenStackSessionDeps } from './service_caller.ts';
import { createOpenStackSession, type OwnedOpenStackSession } from './session.ts';
import type { OpenStackSession } from './session_interface.ts';
import type { OpenStackSettings } from './settings_schema.ts';
import { swiftDiscoveries, swiftPollsters } from './swift.ts';

export interface OpenStackCollectorDeps extends OpenStackSessionDeps {
  /** The cloud's name in polling.yaml. */
  cloud: string;
}

export interface OpenStackCollector extends Collector {
  /** For what asks the cloud beside the collector's own pollsters, as declared ones do. */
  readonly session: OwnedOpenStackSession;
}

interface Service {
  discoveries: (session: OpenStackSession) => Discovery[];
  pollsters: (session: OpenStackSession) => Pollster[];
}

const SERVICES: readonly Service[] = [
  { discoveries: identityDiscoveries, pollsters: identityPollsters },
  { discoveries: novaDiscoveries, pollsters: novaPollsters },
  { discoveries: glanceDiscoveries, pollsters: glancePollsters },
  { discoveries: cinderDiscoveries, pollsters: cinderPollsters },
  { discoveries: neutronDiscoveries, pollsters: neutronPollsters },
  { discoveries: octaviaDiscoveries, pollsters: octaviaPollsters },
  { discoveries: swiftDiscoveries, pollsters: swiftPollsters },
  { discoveries: heatDiscoveries, pollsters: heatPollsters },
  { discoveries: magnumDiscoveries, pollsters: magnumPollsters },
  { discoveries: manilaDiscoveries, pollsters: manilaPollsters },
  { discoveries: designateDiscoveries, pollsters: designatePollsters },
  { discoveries: aodhDiscoveries, pollsters: aodhPollsters },
];

/** All that is polled of one OpenStack cloud. Nothing is asked of it before the first discovery. */
export function createOpenStackCollector(
  settings: OpenStackSettings,
  deps: OpenStackCollectorDeps,
): OpenStackCollector {
  const session = createOpenStackSession(deps.cloud, settings, deps);
  return {
    name: 'openstack',
    session,
    discoveries: SERVICES.flatMap(({ discoveries }) => discoveries(session))
      .map((discovery) => withClockRemark(discovery, session)),
    pollsters: SERVICES.flatMap(({ pollsters }) => pollsters(session)),
    close: () => session.close(),
  };
}

/** Says after each listing which services have a clock that differs from ours. */
function withClockRemark(discovery: Discovery, session: OwnedOpenStackSession): Discovery {
  return {
    ...discovery,
    async *discover(context: PollContext, parameter: string) {
      try {
        yield* discovery.discover(context, parameter);
      } finally {
        for (const [serviceType, skewMs] of session.takeSkews()) {
          const seconds = Math.round(Math.abs(skewMs) / 1_000);
          const side = skewMs < 0 ? 'behind' : 'ahead of';
          const detail = `The clock of service '${serviceType}' is ${seconds} s ${side} ours`;
          context.remark('clock_skew', null, detail);
        }
      }
    },
  };
}
