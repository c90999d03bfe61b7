/**
 * A demonstration cloud: five projects with some forty instances, their volumes, snapshots, images,
 * networks, subnets, routers, ports and floating IPs, whose services notify what happens to them.
 *
 * A discrete simulation over an endless timeline. It knows no clock: the same seed and start give the
 * same life, byte for byte, so that feeding a part of it twice changes nothing.
 */
import { assert } from '../meters/assert.ts';
import { Agenda } from './demo/agenda.ts';
import {
  makeFloatingIp,
  makeNetwork,
  makePort,
  makeRouter,
  makeSubnet,
  networkEvent,
  type NetworkResource,
  trafficEvent,
} from './demo/neutron.ts';
import {
  FLAVORS,
  type Instance,
  instanceEvent,
  instanceExists,
  makeInstance,
} from './demo/nova.ts';
import { type DemoNotification, type Event, osloTime, wrap } from './demo/oslo.ts';
import { SeededRandom } from './demo/random.ts';
import {
  type Image,
  imageEvent,
  imageSent,
  makeImage,
  objectEvent,
  type Snapshot,
  snapshotEvent,
  type Volume,
  volumeEvent,
} from './demo/storage.ts';
import { makeTenants, type Tenant } from './demo/tenants.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Instances of this project are for one build: they come and go. */
const SHORT_LIVED = 'ci';
const TRAFFIC_EVERY = 30 * MINUTE;
/** Between two audits of Cinder and Neutron. */
const OTHERS_EVERY_HOURS = 6;

export interface CloudOptions {
  seed: string;
  /** When the cloud begins: milliseconds since 1970. */
  startMs: number;
}

/** What the cloud notifies, in the order of time, without end. */
export function* lifeOfCloud({ seed, startMs }: CloudOptions): Generator<DemoNotification> {
  // The start is part of the seed: at another time other things happen, under other ids.
  const random = new SeededRandom(`${seed} ${startMs}`);
  const cloud = new Cloud(tenantsOf(seed), random, startMs);
  for (let next = cloud.agenda.next(); next !== undefined; next = cloud.agenda.next()) {
    // No two at the same microsecond, as a service cannot notify two things at once.
    for (const [index, event] of next.happen(next.atMs).entries()) {
      yield wrap(event, next.atMs + index / 1_000, random);
    }
  }
}

/** What {@link lateUpload} adds to. */
export const LATE_METER = 'storage.objects.incoming.bytes';

/**
 * An upload at noon of a day, whose notification lay somewhere for long. The same bytes for the same day.
 *
 * @param dayMs first instant of the day, in UTC
 */
export function lateUpload(seed: string, dayMs: number): DemoNotification {
  const random = new SeededRandom(`${seed} late ${dayMs}`);
  const [tenant] = tenantsOf(seed);
  assert(tenant !== undefined, 'the cloud has projects');
  const atMs = dayMs + 12 * HOUR;
  const request = { direction: 'incoming', bytes: 3 * 1024 ** 3, id: random.uuid(), atMs } as const;
  return wrap(objectEvent(tenant, request), atMs, random);
}

/** The names of the cloud's projects by their ids, as its Keystone would tell them. */
export function projectNames(seed: string): Map<string, string> {
  return new Map(tenantsOf(seed).map(({ projectId, name }) => [projectId, name]));
}

/** The projects are the same whenever the cloud begins. */
function tenantsOf(seed: string): Tenant[] {
  return makeTenants(new SeededRandom(seed));
}

class Cloud {
  readonly agenda = new Agenda();
  readonly #random: SeededRandom;
  readonly #instances = new Set<Instance>();
  readonly #volumes = new Set<Volume>();
  readonly #snapshots = new Set<Snapshot>();
  readonly #network = new Set<NetworkResource>();

  constructor(tenants: readonly Tenant[], random: SeededRandom, startMs: number) {
    this.#random = random;
    for (const [index, tenant] of tenants.entries()) {
      this.agenda.plan(startMs + index * 20 * SECOND, (atMs) => this.#settle(tenant, atMs));
    }
    this.agenda.plan(Math.ceil(startMs / HOUR) * HOUR + 5 * SECOND, (atMs) => this.#audit(atMs));
  }

  /** A project moves in: its networks first, then its instances over the hours. */
  #settle(tenant: Tenant, atMs: number): Event[] {
    const random = this.#random;
    const making = { random, atMs };
    const network = makeNetwork(tenant, making);
    const resources = [network, makeSubnet(network, making), makeRouter(tenant, making)];
    const images = [makeImage(tenant, making), makeImage(tenant, making)];
    for (const resource of resources) this.#network.add(resource);
    for (let count = 0; count < tenant.instances; count += 1) {
      const afterMs = count < tenant.instances / 2
        ? random.next() * 2 * HOUR
        : random.next() * 14 * HOUR;
      this.agenda.plan(
        atMs + MINUTE + afterMs,
        (at) => this.#boot({ tenant, network, images }, at),
      );
    }
    this.agenda.plan(atMs + random.next() * HOUR, (at) => this.#request(tenant, at));
    const labelId = random.uuid();
    this.agenda.plan(atMs + TRAFFIC_EVERY, (at) => this.#traffic(tenant, labelId, at));
    return [
      ...resources.flatMap((resource) => [
        networkEvent(resource, 'create.start'),
        networkEvent(resource, 'create.end'),
      ]),
      ...images.flatMap((image) =>
        ['create', 'upload', 'activate'].map((action) => imageEvent(image, action, atMs))
      ),
    ];
  }

  #boot(home: Home, atMs: number): Event[] {
    const random = this.#random;
    const making = { random, atMs };
    const image = random.pick(home.images);
    const instance = makeInstance(home.tenant, image, making);
    const port = makePort(home.network, instance.id, making);
    this.#instances.add(instance);
    this.#network.add(port);
    this.agenda.plan(atMs + 6_500, () => {
      instance.state = 'active';
      return [instanceEvent(instance, 'create.end', { fixed_ips: [], message: 'Success' })];
    });
    if (random.next() < 0.6) this.agenda.plan(atMs + MINUTE, (at) => this.#addVolume(instance, at));
    if (random.next() < 0.4) {
      this.agenda.plan(atMs + 2 * MINUTE, (at) => this.#addAddress(instance, port, at));
    }
    const lifeMs = home.tenant.name === SHORT_LIVED
      ? HOUR * (0.5 + 3 * random.next())
      : HOUR * (6 + 40 * random.next());
    this.agenda.plan(atMs + lifeMs * 0.4, () => this.#change(instance));
    this.agenda.plan(atMs + lifeMs, (at) => this.#remove(instance, home, at));
    return [
      networkEvent(port, 'create.start'),
      networkEvent(port, 'create.end'),
      instanceEvent(instance, 'create.start'),
      imageSent(image, home.tenant),
    ];
  }

  /** What owners do in between: stop and start, restart, or take another size. */
  #change(instance: Instance): Event[] {
    if (!this.#instances.has(instance)) return [];
    const what = this.#random.pick(['power', 'reboot', 'resize'] as const);
    if (what === 'power') {
      return ['power_off.start', 'power_off.end', 'power_on.start', 'power_on.end']
        .map((action) => {
          instance.state = action.startsWith('power_off') ? 'stopped' : 'active';
          return instanceEvent(instance, action);
        });
    }
    if (what === 'reboot') {
      return ['reboot.start', 'reboot.end'].map((action) => instanceEvent(instance, action));
    }
    const started = instanceEvent(instance, 'resize.start');
    instance.flavor = FLAVORS[Math.min(instance.flavor.id, FLAVORS.length - 1)] ?? instance.flavor;
    return [started, instanceEvent(instance, 'resize.end')];
  }

  #remove(instance: Instance, home: Home, atMs: number): Event[] {
    const started = instanceEvent(instance, 'delete.start');
    instance.state = 'deleted';
    this.#instances.delete(instance);
    const gone = this.#networkOf(instance);
    for (const resource of gone) this.#network.delete(resource);
    // Another takes its place, so that the cloud keeps its size.
    const again = atMs + MINUTE * (1 + 20 * this.#random.next());
    this.agenda.plan(again, (at) => this.#boot(home, at));
    const deleted = osloTime(atMs).replace(' ', 'T');
    return [
      started,
      instanceEvent(instance, 'delete.end', { terminated_at: deleted, deleted_at: deleted }),
      ...gone.map((resource) => networkEvent(resource, 'delete.end')),
    ];
  }

  /** Its ports, and the addresses that lead there. */
  #networkOf(instance: Instance): NetworkResource[] {
    const ports = [...this.#network].filter(({ body }) => body['device_id'] === instance.id);
    const isOfPort = ({ body }: NetworkResource) => ports.some(({ id }) => body['port_id'] === id);
    return [...[...this.#network].filter(isOfPort), ...ports];
  }

  #addVolume(instance: Instance, atMs: number): Event[] {
    const random = this.#random;
    const { tenant } = instance;
    const gib = random.pick([10, 20, 50, 100, 200]);
    const volume: Volume = {
      tenant,
      id: random.uuid(),
      name: `${instance.name}-data`,
      gib,
      createdMs: atMs,
    };
    this.#volumes.add(volume);
    if (random.next() < 0.4) {
      this.agenda.plan(atMs + HOUR * (1 + 6 * random.next()), (at) => this.#snapshot(volume, at));
    }
    if (random.next() < 0.3) {
      this.agenda.plan(atMs + HOUR * (2 + 8 * random.next()), () => {
        volume.gib *= 2;
        return [volumeEvent(volume, 'resize.end')];
      });
    }
    if (tenant.name === SHORT_LIVED) {
      this.agenda.plan(atMs + 3 * HOUR, () => {
        this.#volumes.delete(volume);
        return [volumeEvent(volume, 'delete.start'), volumeEvent(volume, 'delete.end')];
      });
    }
    return [volumeEvent(volume, 'create.start'), volumeEvent(volume, 'create.end')];
  }

  #snapshot(volume: Volume, atMs: number): Event[] {
    if (!this.#volumes.has(volume)) return [];
    const snapshot: Snapshot = { volume, id: this.#random.uuid(), createdMs: atMs };
    this.#snapshots.add(snapshot);
    this.agenda.plan(atMs + 20 * HOUR, () => {
      this.#snapshots.delete(snapshot);
      return [snapshotEvent(snapshot, 'delete.end')];
    });
    return [snapshotEvent(snapshot, 'create.start'), snapshotEvent(snapshot, 'create.end')];
  }

  #addAddress(instance: Instance, port: NetworkResource, atMs: number): Event[] {
    if (!this.#instances.has(instance)) return [];
    const address = makeFloatingIp(instance.tenant, { random: this.#random, atMs });
    this.#network.add(address);
    const created = [networkEvent(address, 'create.start'), networkEvent(address, 'create.end')];
    // A copy: what was notified before keeps the body that it had.
    address.body = { ...address.body, port_id: port.id, status: 'ACTIVE', revision_number: 2 };
    return [...created, networkEvent(address, 'update.end')];
  }

  #request(tenant: Tenant, atMs: number): Event[] {
    const random = this.#random;
    const afterMs = HOUR / tenant.requests * (0.2 + 1.6 * random.next());
    this.agenda.plan(atMs + afterMs, (at) => this.#request(tenant, at));
    return [objectEvent(tenant, {
      direction: random.next() < 0.5 ? 'incoming' : 'outgoing',
      bytes: Math.round(1_000 * 10 ** (4 * random.next())),
      id: random.uuid(),
      atMs,
    })];
  }

  #traffic(tenant: Tenant, labelId: string, atMs: number): Event[] {
    this.agenda.plan(atMs + TRAFFIC_EVERY, (at) => this.#traffic(tenant, labelId, at));
    const bytes = Math.round(tenant.instances * 2e8 * this.#random.next());
    return [trafficEvent(tenant, labelId, { bytes, seconds: TRAFFIC_EVERY / SECOND, atMs })];
  }

  /** What there is: told by Nova each hour, by the others, whose things change less, a few times a day. */
  #audit(atMs: number): Event[] {
    this.agenda.plan(atMs + HOUR, (at) => this.#audit(at));
    const instances = [...this.#instances].map((instance) => instanceExists(instance, atMs));
    if (Math.floor(atMs / HOUR) % OTHERS_EVERY_HOURS !== 0) return instances;
    const period = {
      audit_period_beginning: osloTime(atMs - OTHERS_EVERY_HOURS * HOUR),
      audit_period_ending: osloTime(atMs),
    };
    return [
      ...instances,
      ...[...this.#volumes].map((volume) => volumeEvent(volume, 'exists', period)),
      ...[...this.#snapshots].map((snapshot) => snapshotEvent(snapshot, 'exists')),
      ...[...this.#network].map((resource) => networkEvent(resource, 'exists')),
    ];
  }
}

/** Where the instances of a project live. */
interface Home {
  tenant: Tenant;
  network: NetworkResource;
  images: readonly Image[];
}
