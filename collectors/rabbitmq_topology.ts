/**
 * The control exchanges that OpenStack's services publish notifications on. The first fifteen are
 * Ceilometer's `notification_control_exchanges`; the rest are the `control_exchange` defaults of
 * services that it leaves to the operator, and `openstack`, oslo.messaging's own default.
 */
export const DEFAULT_EXCHANGES: readonly string[] = [
  'nova',
  'glance',
  'neutron',
  'cinder',
  'heat',
  'keystone',
  'sahara',
  'trove',
  'zaqar',
  'swift',
  'ceilometer',
  'magnum',
  'dns',
  'ironic',
  'aodh',
  'designate',
  'octavia',
  'manila',
  'share',
  'barbican',
  'masakari',
  'mistral',
  'murano',
  'senlin',
  'watcher',
  'vitrage',
  'cyborg',
  'blazar',
  'tacker',
  'zun',
  'placement',
  'openstack',
];
