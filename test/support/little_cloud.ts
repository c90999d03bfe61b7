/**
 * An OpenStack that somebody runs, for tests that only read: where it is, and its answers as they are,
 * got without any code of ours.
 */
import process from 'node:process';
import type { OpenStackSettings } from '../../collectors/openstack/settings_schema.ts';

const TIMEOUT_MS = 20_000;

export interface RawAnswer {
  status: number;
  headers: Headers;
  /** Parsed; null for none, or no JSON. */
  body: RawValue;
}

/** JSON as the platform reads it: whoever compares knows the shape. */
export interface Raw {
  [key: string]: RawValue;
}
export type RawValue = null | boolean | number | string | RawValue[] | Raw;

export interface LittleCloud {
  settings: OpenStackSettings;
  password: string;
  projectId: string;
  /** True if the catalogue has a service of this type. */
  has(serviceType: string): boolean;
  /** Its public endpoint without a slash at the end. */
  endpoint(serviceType: string): string | undefined;
  /** Asks at the public endpoint of the catalogue's type, or at another path made from it. */
  ask(
    serviceType: string,
    path: string | ((endpoint: string) => string),
    options?: { method?: 'GET' | 'HEAD'; headers?: Record<string, string> },
  ): Promise<RawAnswer>;
}

/** The cloud, or why there is none: `NEPHO_TEST_OS_AUTH_URL`, `_USERNAME`, `_PASSWORD`, `_PROJECT_NAME`. */
export async function findLittleCloud(): Promise<LittleCloud | string> {
  const url = process.env['NEPHO_TEST_OS_AUTH_URL'] ?? 'http://127.0.0.1:5000/v3';
  const username = process.env['NEPHO_TEST_OS_USERNAME'] ?? 'admin';
  const password = process.env['NEPHO_TEST_OS_PASSWORD'] ?? 's3cret';
  const project = process.env['NEPHO_TEST_OS_PROJECT_NAME'] ?? 'admin';
  const domain = { name: 'Default' };
  const login = JSON.stringify({
    auth: {
      identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
      scope: { project: { name: project, domain } },
    },
  });
  const answer = await fetch(`${url}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: login,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => null);
  const { token } = answer?.status === 201 ? await answer.json() : { token: null };
  const tokenId = answer?.headers.get('x-subject-token') ?? null;
  if (token === null || tokenId === null) {
    await answer?.body?.cancel();
    return `no OpenStack answers at ${url}: start one, or set NEPHO_TEST_OS_AUTH_URL`;
  }
  const catalogue = new Map<string, string>();
  for (const { type, endpoints } of token.catalog) {
    const { url } = endpoints.find((each: Raw) => each['interface'] === 'public') ?? {};
    if (typeof url === 'string') catalogue.set(type, url.replace(/\/+$/, ''));
  }
  return {
    settings: {
      auth_url: url,
      username,
      user_domain_name: domain.name,
      project_name: project,
      project_domain_name: domain.name,
      password_env: 'NEPHO_TEST_OS_PASSWORD',
    },
    password,
    projectId: token.project.id,
    has: (serviceType) => catalogue.has(serviceType),
    endpoint: (serviceType) => catalogue.get(serviceType),
    async ask(serviceType, path, { method = 'GET', headers = {} } = {}) {
      const endpoint = catalogue.get(serviceType) ?? '';
      const target = typeof path === 'string' ? endpoint + path : path(endpoint);
      const response = await fetch(target, {
        method,
        headers: { accept: 'application/json', 'x-auth-token': tokenId, ...headers },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') === true;
      const body = isJson && text !== '' ? JSON.parse(text) : null;
      return { status: response.status, headers: response.headers, body };
    },
  };
}
