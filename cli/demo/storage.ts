/** Notifications of Glance, Cinder and Swift: images, volumes, snapshots, objects. */
import { type Event, isoSeconds, osloTime } from './oslo.ts';
import type { SeededRandom } from './random.ts';
import { actorOf, type Tenant } from './tenants.ts';

const GIB = 1024 ** 3;

export interface Image {
  tenant: Tenant;
  id: string;
  name: string;
  bytes: number;
  createdMs: number;
}

export interface Volume {
  tenant: Tenant;
  id: string;
  name: string;
  gib: number;
  createdMs: number;
}

export interface Snapshot {
  volume: Volume;
  id: string;
  createdMs: number;
}

export function makeImage(
  tenant: Tenant,
  { random, atMs }: { random: SeededRandom; atMs: number },
): Image {
  const name = `${random.pick(['debian-12', 'ubuntu-24.04', 'rocky-9', 'fedora-42'])}-${
    random.hex(3)
  }`;
  const bytes = Math.round(GIB * (0.3 + random.next() * 2));
  return { tenant, id: random.uuid(), name, bytes, createdMs: atMs };
}

/** @param action `create`, `upload`, `activate`, `update` or `delete` */
export function imageEvent(image: Image, action: string, atMs: number): Event {
  const isThere = action !== 'create';
  return {
    exchange: 'glance',
    publisherId: 'image.controller-1',
    eventType: `image.${action}`,
    payload: {
      id: image.id,
      name: image.name,
      status: action === 'delete' ? 'deleted' : isThere ? 'active' : 'queued',
      created_at: isoSeconds(image.createdMs),
      updated_at: isoSeconds(atMs),
      min_disk: 0,
      min_ram: 0,
      protected: false,
      checksum: isThere ? image.id.replaceAll('-', '') : null,
      owner: image.tenant.projectId,
      disk_format: 'qcow2',
      container_format: 'bare',
      // Null until the data is there: real, and no sample comes of it.
      size: isThere ? image.bytes : null,
      virtual_size: null,
      is_public: false,
      visibility: 'shared',
      properties: {},
      tags: [],
      deleted: action === 'delete',
      deleted_at: action === 'delete' ? isoSeconds(atMs) : null,
    },
    actor: null,
  };
}

/** A compute host fetches an image for an instance of `receiver`. */
export function imageSent(image: Image, receiver: Tenant): Event {
  return {
    exchange: 'glance',
    publisherId: 'image.controller-1',
    eventType: 'image.send',
    payload: {
      bytes_sent: image.bytes,
      image_id: image.id,
      owner_id: image.tenant.projectId,
      receiver_tenant_id: receiver.projectId,
      receiver_user_id: receiver.userId,
    },
    actor: null,
  };
}

/** @param action `create.start`, `create.end`, `resize.end`, `delete.end`, `exists` */
export function volumeEvent(
  volume: Volume,
  action: string,
  extra: Record<string, unknown> = {},
): Event {
  return {
    exchange: 'cinder',
    publisherId: 'volume.storage-1@ceph',
    eventType: `volume.${action}`,
    payload: {
      tenant_id: volume.tenant.projectId,
      host: 'storage-1@ceph#volumes',
      user_id: volume.tenant.userId,
      availability_zone: 'nova',
      volume_id: volume.id,
      volume_type: '96386bed-79bc-4128-8366-a92bf113c21e',
      display_name: volume.name,
      launched_at: `${osloTime(volume.createdMs + 900).replace(' ', 'T')}+00:00`,
      created_at: `${osloTime(volume.createdMs).replace(' ', 'T')}+00:00`,
      status: action.startsWith('delete') ? 'deleted' : 'available',
      snapshot_id: null,
      size: volume.gib,
      replication_status: null,
      replication_extended_status: null,
      replication_driver_data: null,
      metadata: [],
      volume_attachment: [],
      ...extra,
    },
    actor: action === 'exists' ? null : actorOf(volume.tenant),
  };
}

export function snapshotEvent(snapshot: Snapshot, action: string): Event {
  const { volume } = snapshot;
  const isDeleted = action.startsWith('delete');
  return {
    exchange: 'cinder',
    publisherId: 'snapshot.storage-1@ceph',
    eventType: `snapshot.${action}`,
    payload: {
      tenant_id: volume.tenant.projectId,
      user_id: volume.tenant.userId,
      availability_zone: 'nova',
      volume_id: volume.id,
      volume_size: volume.gib,
      snapshot_id: snapshot.id,
      display_name: `${volume.name}-backup`,
      created_at: `${osloTime(snapshot.createdMs).slice(0, 19).replace(' ', 'T')}+00:00`,
      status: isDeleted ? 'deleted' : 'available',
      deleted: isDeleted ? 'True' : '',
      metadata: '',
    },
    actor: action === 'exists' ? null : actorOf(volume.tenant),
  };
}

/** One request to Swift, as its ceilometermiddleware reports it. */
export function objectEvent(
  tenant: Tenant,
  request: { direction: 'incoming' | 'outgoing'; bytes: number; id: string; atMs: number },
): Event {
  const method = request.direction === 'incoming' ? 'put' : 'get';
  const path = `v1/AUTH_${tenant.projectId}/${tenant.name}/${request.id.slice(0, 8)}`;
  return {
    exchange: 'swift',
    publisherId: 'ceilometermiddleware',
    eventType: 'objectstore.http.request',
    payload: {
      typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event',
      eventType: 'activity',
      id: request.id,
      eventTime: osloTime(request.atMs).replace(' ', 'T'),
      action: method === 'put' ? 'update' : 'read',
      outcome: 'success',
      observer: { id: 'target' },
      initiator: {
        id: tenant.userId,
        typeURI: 'service/security/account/user',
        project_id: tenant.projectId,
      },
      target: {
        id: tenant.projectId,
        typeURI: 'service/storage/object',
        metadata: { path, version: 'v1', container: tenant.name, object: request.id.slice(0, 8) },
        action: method,
      },
      measurements: [{
        metric: {
          metricId: request.id,
          name: `storage.objects.${request.direction}.bytes`,
          unit: 'B',
        },
        result: request.bytes,
      }],
    },
    actor: null,
  };
}
