import type { ServicePath } from './session_interface.ts';

/**
 * 2.48 (OpenStack Pike, 2017) brings diagnostics that do not depend on the driver, and 2.47 the flavor
 * within a server.
 */
export const NOVA_HEADERS = { 'openstack-api-version': 'compute 2.48' };

/** A path behind Nova's endpoint, which may lack its version or hold a project behind it. */
export function novaPath(path: string): ServicePath {
  return (endpoint) => {
    const version = /\/v2(?:\.1)?(?:\/|$)/.test(endpoint) ? '' : '/v2.1';
    return endpoint + version + path;
  };
}
