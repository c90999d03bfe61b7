/**
 * A server that speaks what Keystone, Nova and Neutron answer to a poller, for as many instances as wanted
 * and with faults on order. Its answers have the members and sizes of a real cloud's.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const CLOUD_USER = { name: 'nepho', password: 'a password of the test' };

/** What befalls a request instead of an answer, or before it. */
export type CloudFault =
  | { kind: 'status'; status: number }
  | { kind: 'reset' }
  | { kind: 'half' }
  | { kind: 'html' }
  | { kind: 'late'; milliseconds: number }
  /** Every token so far is worth nothing from now on. */
  | { kind: 'expire' };

export interface CloudApiOptions {
  instances: number;
  /** Ports, one an instance, listed by Neutron. */
  ports?: number;
  /** Asked for each request but those to Keystone; null leaves it alone. */
  fault?: (request: { path: string; number: number }) => CloudFault | null;
  /** Servers a page at most, whatever is asked for. */
  pageSize?: number;
}

const PROJECTS = 20;
const SERVERS = '/compute/v2.1/servers';
const DIAGNOSTICS = /^\/compute\/v2\.1\/servers\/([^/]+)\/diagnostics$/;

export class CloudApi {
  /** Requests so far, those to Keystone too. */
  requests = 0;
  logins = 0;
  fault: CloudApiOptions['fault'];
  readonly ids: readonly string[];
  readonly #pageSize: number;
  readonly #server: Server;
  readonly #servers: readonly string[];
  readonly #ports: string;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #startedMs = Date.now();
  #token = 0;

  static async start(options: CloudApiOptions): Promise<CloudApi> {
    const api = new CloudApi(options);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  private constructor(options: CloudApiOptions) {
    this.fault = options.fault;
    this.#pageSize = options.pageSize ?? 1_000;
    this.ids = Array.from({ length: options.instances }, (_, number) => uuidOf(1, number));
    this.#numbers = new Map(this.ids.map((id, number) => [id, number]));
    this.#servers = this.ids.map((id, number) => JSON.stringify(serverOf(id, number)));
    this.#ports = JSON.stringify({
      ports: Array.from(
        { length: options.ports ?? options.instances },
        (_, number) => portOf(number),
      ),
    });
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get authUrl(): string {
    return `${this.url}/identity/v3`;
  }

  /** Milliseconds since it was started: what its counters count. */
  get ageMs(): number {
    return Date.now() - this.#startedMs;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const url = new URL(request.url ?? '/', this.url);
    if (url.pathname === '/identity/v3/auth/tokens') {
      await this.#logIn(request, response);
      return;
    }
    const fault = this.fault?.({ path: url.pathname, number: this.requests }) ?? null;
    if (fault !== null && await this.#misbehave(fault, response)) return;
    if (request.headers['x-auth-token'] !== this.#tokenText()) {
      answer(response, 401, '{"error":{"code":401,"message":"Authenticate"}}');
      return;
    }
    this.#serve(url, response);
  }

  #serve(url: URL, response: ServerResponse): void {
    const id = DIAGNOSTICS.exec(url.pathname)?.[1];
    if (id !== undefined) this.#diagnose(id, response);
    else if (url.pathname === `${SERVERS}/detail`) answer(response, 200, this.#page(url));
    else if (url.pathname === '/network/v2.0/ports') answer(response, 200, this.#ports);
    else answer(response, 404, '{"itemNotFound":{"code":404,"message":"Nothing here"}}');
  }

  /** @returns true if there is no answer to give any more */
  async #misbehave(fault: CloudFault, response: ServerResponse): Promise<boolean> {
    switch (fault.kind) {
      case 'status':
        answer(response, fault.status, `{"error":{"code":${fault.status},"message":"On order"}}`);
        return true;
      case 'reset':
        response.socket?.resetAndDestroy();
        return true;
      case 'half':
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end('{"servers": [{"id": "');
        return true;
      case 'html':
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<html><body>Maintenance</body></html>');
        return true;
      case 'late':
        await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
        return response.destroyed;
      case 'expire':
        this.#token += 1;
        return false;
    }
  }

  async #logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.logins += 1;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { auth } = JSON.parse(body) as {
      auth: { identity: { password?: { user?: { name?: string; password?: string } } } };
    };
    const user = auth.identity.password?.user;
    if (user?.name !== CLOUD_USER.name || user.password !== CLOUD_USER.password) {
      answer(
        response,
        401,
        '{"error":{"code":401,"message":"The request you have made requires"}}',
      );
      return;
    }
    response.setHeader('x-subject-token', this.#tokenText());
    answer(response, 201, JSON.stringify(this.#tokenBody()));
  }

  #tokenText(): string {
    return `token-${this.#token}`;
  }

  #tokenBody() {
    const service = (type: string, path: string) => ({
      id: `service-${type}`,
      type,
      name: type,
      endpoints: [{
        id: `endpoint-${type}`,
        interface: 'public',
        region: 'RegionOne',
        region_id: 'RegionOne',
        url: `${this.url}${path}`,
      }],
    });
    return {
      token: {
        methods: ['password'],
        expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        issued_at: new Date().toISOString(),
        project: { id: uuidOf(9, 0), name: 'service', domain: { id: 'default', name: 'Default' } },
        catalog: [
          service('identity', '/identity/v3'),
          service('compute', '/compute/v2.1'),
          service('network', '/network'),
        ],
      },
    };
  }

  #page(url: URL): string {
    const limit = Math.min(Number(url.searchParams.get('limit') ?? this.#pageSize), this.#pageSize);
    const marker = url.searchParams.get('marker');
    const start = marker === null ? 0 : (this.#numbers.get(marker) ?? -1) + 1;
    const end = start + limit;
    const last = this.ids[end - 1];
    const links = last === undefined || end >= this.ids.length
      ? ''
      : `,"servers_links":[{"rel":"next",` +
        `"href":"${this.url}${SERVERS}/detail?limit=${limit}&marker=${last}"}]`;
    return `{"servers":[${this.#servers.slice(start, end).join(',')}]${links}}`;
  }

  #diagnose(id: string, response: ServerResponse): void {
    const number = this.#numbers.get(id);
    if (number === undefined) {
      answer(
        response,
        404,
        '{"itemNotFound":{"code":404,"message":"Instance could not be found"}}',
      );
    } else answer(response, 200, diagnosticsOf(number, Math.trunc(this.ageMs / 1_000)));
  }
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}

/** Text like a UUID, the same for the same numbers. */
export function uuidOf(kind: number, number: number): string {
  const digits = (kind * 2 ** 40 + number).toString(16).padStart(32, '0');
  return [0, 8, 12, 16, 20].map((from, part) => digits.slice(from, [8, 12, 16, 20, 32][part]))
    .join('-');
}

function serverOf(id: string, number: number) {
  const link = (path: string) => `http://cloud.example/${path}`;
  return {
    id,
    name: `vm-${number}`,
    status: 'ACTIVE',
    tenant_id: uuidOf(2, number % PROJECTS).replaceAll('-', ''),
    user_id: uuidOf(3, number % PROJECTS).replaceAll('-', ''),
    metadata: { 'metering.stack': `stack-${number % 100}` },
    hostId: `9928cc65876e844ab0533ab6070d021b7d7e11ae0d359fceebebb${number % 100}`,
    image: { id: uuidOf(4, number % 7), links: [{ rel: 'bookmark', href: link('images/x') }] },
    flavor: {
      vcpus: 2,
      ram: 4_096,
      disk: 20,
      ephemeral: 0,
      swap: 0,
      original_name: 'm1.medium',
      extra_specs: { 'hw:cpu_policy': 'shared' },
    },
    created: '2026-11-22T11:55:56Z',
    updated: '2026-11-22T11:57:04Z',
    addresses: {
      internal: [{
        version: 4,
        addr: `10.9.${number % 250}.7`,
        'OS-EXT-IPS:type': 'fixed',
        'OS-EXT-IPS-MAC:mac_addr': macOf(number),
      }],
    },
    accessIPv4: '',
    accessIPv6: '',
    links: [
      { rel: 'self', href: link(`v2.1/servers/${id}`) },
      { rel: 'bookmark', href: link(`servers/${id}`) },
    ],
    'OS-DCF:diskConfig': 'MANUAL',
    progress: 0,
    'OS-EXT-AZ:availability_zone': 'nova',
    config_drive: '',
    key_name: null,
    'OS-SRV-USG:launched_at': '2026-11-22T11:56:08.000000',
    'OS-SRV-USG:terminated_at': null,
    'OS-EXT-SRV-ATTR:host': `compute-${number % 100}`,
    'OS-EXT-SRV-ATTR:instance_name': `instance-${number.toString(16).padStart(8, '0')}`,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': `compute-${number % 100}`,
    'OS-EXT-SRV-ATTR:reservation_id': 'r-jb7alvhu',
    'OS-EXT-SRV-ATTR:launch_index': 0,
    'OS-EXT-SRV-ATTR:hostname': `vm-${number}`,
    'OS-EXT-SRV-ATTR:kernel_id': '',
    'OS-EXT-SRV-ATTR:ramdisk_id': '',
    'OS-EXT-SRV-ATTR:root_device_name': '/dev/sda',
    'OS-EXT-SRV-ATTR:user_data': null,
    'OS-EXT-STS:task_state': null,
    'OS-EXT-STS:vm_state': 'active',
    'OS-EXT-STS:power_state': 1,
    'os-extended-volumes:volumes_attached': [],
    locked: false,
    description: null,
    tags: [],
    host_status: 'UP',
  };
}

function portOf(number: number) {
  const project = uuidOf(2, number % PROJECTS).replaceAll('-', '');
  return {
    id: uuidOf(5, number),
    name: `port-${number}`,
    network_id: uuidOf(6, number % PROJECTS),
    tenant_id: project,
    project_id: project,
    mac_address: macOf(number),
    admin_state_up: true,
    status: 'ACTIVE',
    device_id: uuidOf(1, number),
    device_owner: 'compute:nova',
    fixed_ips: [{ subnet_id: uuidOf(7, number % PROJECTS), ip_address: `10.9.${number % 250}.7` }],
    allowed_address_pairs: [],
    security_groups: [uuidOf(8, number % PROJECTS)],
    description: '',
    'binding:vnic_type': 'normal',
    'binding:host_id': `compute-${number % 100}`,
    tags: [],
    created_at: '2026-11-22T11:55:40Z',
    updated_at: '2026-11-22T11:55:41Z',
    revision_number: 1,
  };
}

function macOf(number: number): string {
  const digits = number.toString(16).padStart(6, '0');
  return `fa:16:3e:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`;
}

/** Microversion 2.48. Counters grow by the second, so that a later reading is a larger one. */
function diagnosticsOf(number: number, seconds: number): string {
  const base = 1_000_000 + number * 1_000 + seconds;
  return JSON.stringify({
    state: 'running',
    driver: 'libvirt',
    hypervisor: 'kvm',
    hypervisor_os: 'linux',
    uptime: 46_664 + seconds,
    config_drive: false,
    num_cpus: 2,
    num_nics: 1,
    num_disks: 1,
    disk_details: [{
      read_bytes: base * 512,
      read_requests: base,
      write_bytes: base * 1_024,
      write_requests: base * 2,
      errors_count: 0,
    }],
    cpu_details: [
      { id: 0, time: base * 1_000_000, utilisation: 15 },
      { id: 1, time: base * 1_000_000, utilisation: 15 },
    ],
    nic_details: [{
      mac_address: macOf(number),
      rx_octets: base * 7,
      rx_errors: 1,
      rx_drop: 2,
      rx_packets: base,
      rx_rate: 0,
      tx_octets: base * 5,
      tx_errors: 3,
      tx_drop: 4,
      tx_packets: base,
      tx_rate: 0,
    }],
    memory_details: { maximum: 4_096, used: 1_024 },
  });
}
