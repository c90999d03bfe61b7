import { NephoError } from '../../meters/errors.ts';
import type { Discovery, Pollster } from '../polling/pollster.ts';
import { type Listed, listed } from './listed.ts';
import type { OpenStackSession } from './session_interface.ts';

/** A service of the catalogue, for pollsters of the deployer. */
export interface CatalogueEndpoint {
  readonly serviceType: string;
  /** Without a slash at the end. */
  readonly url: string;
}

/** As Keystone makes the ids of projects. */
const PROJECT_ID = /^[0-9a-f]{32}$/;

/** `tenant`: the projects of all domains; `endpoint:<type>`: where the catalogue has a service. */
export function identityDiscoveries(session: OpenStackSession): Discovery[] {
  return [tenants(session), endpoints(session)];
}

/** Keystone itself has no meter that is polled. */
export function identityPollsters(_session: OpenStackSession): Pollster[] {
  return [];
}

/** `tenant:enabled` leaves out those that are disabled, as `ignore_disabled_projects` of Ceilometer. */
function tenants(session: OpenStackSession): Discovery<Listed | null> {
  return {
    name: 'tenant',
    async *discover(context, parameter) {
      for await (const page of session.projects({ signal: context.signal })) {
        const projects = parameter === 'enabled'
          ? page.filter((project) => project['enabled'] !== false)
          : page;
        if (projects.length > 0) yield listed(projects, context);
      }
    },
    resource: (text) => PROJECT_ID.test(text) ? { id: text, data: null } : null,
  };
}

/** One unit, whose id is the URL. */
function endpoints(session: OpenStackSession): Discovery<CatalogueEndpoint> {
  return {
    name: 'endpoint',
    async *discover(context, parameter) {
      if (parameter === '') {
        throw new NephoError(
          'service_absent',
          "Cannot discover an endpoint: write the type of its service, as in 'endpoint:image'",
        );
      }
      const url = await session.endpoint(parameter, { signal: context.signal });
      yield [{ id: url, data: { serviceType: parameter, url } }];
    },
  };
}
