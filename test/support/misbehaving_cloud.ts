/** A server that logs in whoever has the password and then answers as a test wants. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OpenStackSettings } from '../../collectors/openstack/settings_schema.ts';

export interface CloudRequest {
  path: string;
  /** Without the token, which the server has looked at. */
  headers: IncomingMessage['headers'];
  /** Of this cloud, as `http://127.0.0.1:1234`. */
  origin: string;
}

/** An answer's body as JSON, or whatever the test does with the response itself. */
export type CloudAnswer = object | ((response: ServerResponse) => void);

export interface MisbehavingCloud {
  settings: OpenStackSettings;
  /** Bodies of the logins so far. */
  logins: unknown[];
  /** Paths asked for at services. */
  asked: string[];
  /** What Keystone answers instead of a token. */
  loginFault: ((response: ServerResponse) => void) | null;
  /** From now on no token so far is good. */
  expireTokens(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The password that the server takes. */
export const CLOUD_PASSWORD = 'the right one';

/** @param answer what a service under `/service` says */
export async function startMisbehavingCloud(
  answer: (request: CloudRequest) => CloudAnswer,
): Promise<MisbehavingCloud> {
  let generation = 0;
  const tokenId = () => `gAAAA-${generation}`;
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path.endsWith('/auth/tokens')) void login(request, response);
    else if (request.headers['x-auth-token'] !== tokenId()) send(response, { error: 'no' }, 401);
    else {
      cloud.asked.push(path);
      const answered = answer({ path, headers: request.headers, origin: origin() });
      if (typeof answered === 'function') answered(response);
      else send(response, answered);
    }
  });
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function login(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    cloud.logins.push(JSON.parse(body));
    if (cloud.loginFault !== null) cloud.loginFault(response);
    else if (!body.includes(CLOUD_PASSWORD)) {
      send(response, { error: { code: 401, message: `not ${body}` } }, 401);
    } else {
      response.setHeader('x-subject-token', tokenId());
      send(response, { token: tokenBody(origin()) }, 201);
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cloud: MisbehavingCloud = {
    settings: {
      auth_url: `${origin()}/identity`,
      username: 'nepho',
      project_name: 'service',
      password_env: 'PASSWORD',
    },
    logins: [],
    asked: [],
    loginFault: null,
    expireTokens: () => generation += 1,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return cloud;
}

export function send(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function tokenBody(origin: string): object {
  const endpoint = (type: string, path: string) => ({
    type,
    endpoints: [{ interface: 'public', region_id: 'R', url: origin + path }],
  });
  return {
    // Keystone's clock is years off, which is no matter.
    issued_at: '2001-01-01T00:00:00.000000Z',
    expires_at: '2001-01-01T01:00:00.000000Z',
    project: { id: 'p1' },
    catalog: [endpoint('identity', '/identity/v3/'), endpoint('volumev3', '/service/')],
  };
}
