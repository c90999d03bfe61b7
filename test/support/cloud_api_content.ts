/** What is in {@link CloudApi}: the members and sizes of a real cloud's. */
const PROJECTS = 20;

/** Text like a UUID, the same for the same numbers. */
export function uuidOf(kind: number, number: number): string {
  const digits = (kind * 2 ** 40 + number).toString(16).padStart(32, '0');
  return [0, 8, 12, 16, 20].map((from, part) => digits.slice(from, [8, 12, 16, 20, 32][part]))
    .join('-');
}

export function serverOf(id: string, number: number) {
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

export function portOf(number: number) {
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

/**
 * Microversion 2.48. Counters grow by the second, so that a later reading is a larger one.
 */
export function diagnosticsOf(number: number, seconds: number): string {
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
