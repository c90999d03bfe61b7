import { createHash } from 'node:crypto';
import type { JsonObject } from '../../meters/json.ts';
import type { DomainDescription, DomainNic } from './domain_description.ts';

/** Nova's words for libvirt's states, by number (virDomainState). */
const STATES: readonly { vmState: string; status: string }[] = [
  { vmState: 'pending', status: 'building' },
  { vmState: 'running', status: 'active' },
  { vmState: 'running', status: 'active' },
  { vmState: 'paused', status: 'paused' },
  { vmState: 'shutdown', status: 'stopped' },
  { vmState: 'shutdown', status: 'stopped' },
  { vmState: 'crashed', status: 'error' },
  { vmState: 'suspended', status: 'suspended' },
];

/**
 * A sample's metadata in Ceilometer's words (`instance_discovery_method = libvirt_metadata`), as far as
 * the host knows them.
 *
 * @param host what Nova calls the compute host
 * @param state number of virDomainState
 */
export function instanceMetadata(
  description: DomainDescription,
  host: string,
  state: number,
): JsonObject {
  const { nova } = description;
  const image = nova?.imageId ?? null;
  const { vmState, status } = STATES[state] ?? { vmState: '', status: '' };
  const metadata: JsonObject = {
    display_name: nova?.displayName ?? description.name,
    name: description.name,
    instance_id: description.uuid,
    instance_type: nova?.flavor.name ?? null,
    host: nova === null ? null : hashedHost(nova.projectId, host),
    instance_host: host,
    flavor: nova === null ? null : { ...nova.flavor },
    status,
    state: vmState,
    task_state: '',
    image: image === null ? null : { id: image },
    image_ref: image,
    image_ref_url: null,
    architecture: description.architecture,
    os_type: description.osType,
    user_metadata: {},
  };
  if (nova === null) return metadata;
  return {
    ...metadata,
    vcpus: nova.flavor.vcpus,
    memory_mb: nova.flavor.ram,
    disk_gb: nova.flavor.disk,
    ephemeral_gb: nova.flavor.ephemeral,
    root_gb: nova.flavor.disk,
  };
}

/** What is added for a sample of a network interface. */
export function nicMetadata(nic: DomainNic): JsonObject {
  return {
    name: nic.name,
    mac: nic.mac,
    fref: nic.filter,
    parameters: { ...nic.parameters },
    vnic_name: nic.filter ?? nic.name,
  };
}

/** Nova's `hostId`: a project can tell its hosts apart without knowing their names. */
function hashedHost(projectId: string, host: string): string {
  return createHash('sha224').update(`${projectId}${host}`).digest('hex');
}
