/** Nova's notifications: instances. Payloads as its legacy notifier writes them. */
import { type Event, osloTime } from './oslo.ts';
import type { SeededRandom } from './random.ts';
import { actorOf, type Tenant } from './tenants.ts';

export interface Flavor {
  name: string;
  id: number;
  vcpus: number;
  memoryMb: number;
  rootGb: number;
  ephemeralGb: number;
}

export const FLAVORS: readonly Flavor[] = [
  { name: 'm1.tiny', id: 1, vcpus: 1, memoryMb: 512, rootGb: 1, ephemeralGb: 0 },
  { name: 'm1.small', id: 2, vcpus: 1, memoryMb: 2_048, rootGb: 20, ephemeralGb: 0 },
  { name: 'm1.medium', id: 3, vcpus: 2, memoryMb: 4_096, rootGb: 40, ephemeralGb: 10 },
  { name: 'm1.large', id: 4, vcpus: 4, memoryMb: 8_192, rootGb: 80, ephemeralGb: 20 },
  { name: 'm1.xlarge', id: 5, vcpus: 8, memoryMb: 16_384, rootGb: 160, ephemeralGb: 40 },
];

export interface Instance {
  tenant: Tenant;
  id: string;
  name: string;
  reservationId: string;
  flavor: Flavor;
  host: string;
  imageId: string;
  imageName: string;
  createdMs: number;
  state: 'building' | 'active' | 'stopped' | 'deleted';
}

export function makeInstance(
  tenant: Tenant,
  image: { id: string; name: string },
  { random, atMs }: { random: SeededRandom; atMs: number },
): Instance {
  const flavorName = random.pick(tenant.flavors);
  const [smallest] = FLAVORS;
  const flavor = FLAVORS.find(({ name }) => name === flavorName) ?? smallest;
  if (flavor === undefined) throw new RangeError('No flavors');
  return {
    tenant,
    id: random.uuid(),
    name: `${tenant.name}-${random.hex(4)}`,
    reservationId: `r-${random.hex(8)}`,
    flavor,
    host: `compute-${random.between(1, 4)}`,
    imageId: image.id,
    imageName: image.name,
    createdMs: atMs,
    state: 'building',
  };
}

/** @param action as it follows `compute.instance.`: `create.end`, `power_off.end`, … */
export function instanceEvent(
  instance: Instance,
  action: string,
  extra: Record<string, unknown> = {},
): Event {
  return {
    exchange: 'nova',
    publisherId: `compute.${instance.host}`,
    eventType: `compute.instance.${action}`,
    payload: { ...instancePayload(instance), ...extra },
    actor: actorOf(instance.tenant),
  };
}

/** The hourly audit, which Nova sends for each instance that lived in the hour. */
export function instanceExists(instance: Instance, atMs: number): Event {
  const hour = 3_600_000;
  const ending = Math.floor(atMs / hour) * hour;
  return {
    ...instanceEvent(instance, 'exists', {
      audit_period_beginning: osloTime(ending - hour),
      audit_period_ending: osloTime(ending),
      bandwidth: {},
    }),
    actor: null,
  };
}

function instancePayload(instance: Instance): Record<string, unknown> {
  const { tenant, flavor } = instance;
  const launched = instance.state === 'building' ? '' : instance.createdMs + 6_500;
  return {
    tenant_id: tenant.projectId,
    user_id: tenant.userId,
    instance_id: instance.id,
    display_name: instance.name,
    reservation_id: instance.reservationId,
    hostname: instance.name,
    instance_type: flavor.name,
    instance_type_id: flavor.id,
    instance_flavor_id: String(flavor.id),
    architecture: null,
    memory_mb: flavor.memoryMb,
    disk_gb: flavor.rootGb + flavor.ephemeralGb,
    vcpus: flavor.vcpus,
    root_gb: flavor.rootGb,
    ephemeral_gb: flavor.ephemeralGb,
    host: instance.host,
    node: instance.host,
    availability_zone: 'nova',
    cell_name: '',
    created_at: `${osloTime(instance.createdMs).slice(0, 19)}+00:00`,
    terminated_at: '',
    deleted_at: '',
    launched_at: launched === '' ? '' : osloTime(launched).replace(' ', 'T'),
    image_ref_url: `http://glance.example:9292/images/${instance.imageId}`,
    os_type: null,
    kernel_id: '',
    ramdisk_id: '',
    state: instance.state,
    state_description: '',
    progress: '',
    access_ip_v4: null,
    access_ip_v6: null,
    image_meta: {
      min_ram: '0',
      min_disk: String(flavor.rootGb),
      disk_format: 'qcow2',
      container_format: 'bare',
      base_image_ref: instance.imageId,
    },
    metadata: { 'metering.department': tenant.name },
    image_name: instance.imageName,
  };
}
