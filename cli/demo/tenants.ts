/** The five projects of the demonstration cloud and what they are like. */
import type { Event } from './oslo.ts';
import type { SeededRandom } from './random.ts';

export interface Tenant {
  name: string;
  projectId: string;
  userId: string;
  userName: string;
  /** How many instances it grows to. */
  instances: number;
  /** Names of flavors that it takes. */
  flavors: readonly string[];
  /** Object storage requests in an hour. */
  requests: number;
}

const KINDS = [
  { name: 'webshop', instances: 12, flavors: ['m1.small', 'm1.medium'], requests: 8 },
  { name: 'analytics', instances: 9, flavors: ['m1.large', 'm1.xlarge'], requests: 5 },
  { name: 'research', instances: 8, flavors: ['m1.medium', 'm1.xlarge'], requests: 3 },
  { name: 'ci', instances: 7, flavors: ['m1.tiny', 'm1.small'], requests: 4 },
  { name: 'archive', instances: 4, flavors: ['m1.tiny'], requests: 10 },
] as const;

export function makeTenants(random: SeededRandom): Tenant[] {
  return KINDS.map((kind) => ({
    ...kind,
    projectId: random.hex(32),
    userId: random.hex(32),
    userName: `${kind.name}-ops`,
  }));
}

export function actorOf(tenant: Tenant): NonNullable<Event['actor']> {
  return {
    userId: tenant.userId,
    userName: tenant.userName,
    projectId: tenant.projectId,
    projectName: tenant.name,
  };
}
