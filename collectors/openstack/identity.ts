import type { Discovery, Pollster } from '../polling/pollster.ts';
import { type Listed, listed } from './listed.ts';
import type { OpenStackSession } from './session_interface.ts';

/** The projects of all domains: `tenant`, or `tenant:enabled` for those that are not disabled. */
export function identityDiscoveries(session: OpenStackSession): Discovery[] {
  const tenant: Discovery<Listed> = {
    name: 'tenant',
    async *discover(context, parameter) {
      for await (const page of session.projects({ signal: context.signal })) {
        const projects = parameter === 'enabled'
          ? page.filter((project) => project['enabled'] !== false)
          : page;
        if (projects.length > 0) yield listed(projects, context);
      }
    },
  };
  return [tenant];
}

/** Keystone itself has no meter that is polled. */
export function identityPollsters(_session: OpenStackSession): Pollster[] {
  return [];
}
