import { isNephoError, NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject } from '../../meters/json.ts';
import type { HttpClient } from '../http/http_client.ts';
import { type Catalogue, readCatalogue } from './catalogue.ts';
import type { CloudAccess } from './cloud_access.ts';
import { readJsonObject, unreadable } from './json_answer.ts';

export interface Token {
  /** A secret. */
  id: string;
  /** For how long it is good, from when it was asked for. */
  lifetimeMs: number;
  projectId: string | null;
  catalogue: Catalogue;
}

/**
 * Gets a token from Keystone v3.
 *
 * @throws {NephoError} `unauthorised` for credentials that Keystone refuses, `service_absent` if there
 * is no Keystone, and the reasons of `HttpClient`
 */
export async function login(
  access: CloudAccess,
  secret: string,
  { http, signal }: { http: HttpClient; signal: AbortSignal },
): Promise<Token> {
  const url = `${access.authUrl}/auth/tokens`;
  const answer = await http.request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ auth: authBody(access.identity, secret) }),
  }, { signal }).catch((error: unknown) => {
    throw isNephoError(error) && error.code === 'resource_gone'
      ? new NephoError('service_absent', `Cannot log in: there is no Keystone v3 at '${url}'`, {
        context: { url },
      })
      : error;
  });
  const id = answer.headers['x-subject-token'];
  const { token } = readJsonObject(url, answer);
  if (id === undefined || !isJsonObject(token)) throw unreadable(url, 'it holds no token');
  return {
    id,
    lifetimeMs: lifetimeOf(url, token),
    projectId: projectOf(token),
    catalogue: readCatalogue(token['catalog'], access),
  };
}

function authBody(identity: CloudAccess['identity'], secret: string): JsonObject {
  if (identity.method === 'password') {
    const password = { user: { ...identity.user, password: secret } };
    return { identity: { methods: ['password'], password }, scope: { project: identity.project } };
  }
  const { method, ...credential } = identity;
  return { identity: { methods: [method], [method]: { ...credential, secret } } };
}

/** By Keystone's own clock, which may differ from ours. */
function lifetimeOf(url: string, token: JsonObject): number {
  const instant = (key: string) => {
    const text = token[key];
    return typeof text === 'string' ? Date.parse(text) : NaN;
  };
  const lifetimeMs = instant('expires_at') - instant('issued_at');
  if (Number.isFinite(lifetimeMs) && lifetimeMs > 0) return lifetimeMs;
  throw unreadable(url, 'the token says not for how long it is good');
}

function projectOf(token: JsonObject): string | null {
  const { project } = token;
  return isJsonObject(project) && typeof project['id'] === 'string' ? project['id'] : null;
}
