/** Logging in to a real Keystone: by password, by application credential, by clouds.yaml, in vain. */
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { createOpenStackSession } from '../../collectors/openstack/session.ts';
import type { OpenStackSettings } from '../../collectors/openstack/settings_schema.ts';
import { isNephoError } from '../../meters/errors.ts';
import { findLittleCloud, type LittleCloud } from '../support/little_cloud.ts';

const found = await findLittleCloud();
const skip = typeof found === 'string' ? found : false;
const sessions: { close(): Promise<void> }[] = [];
after(() => Promise.all(sessions.map((session) => session.close())));

/** The project that one is logged in to, by settings and what every secret holds. */
async function projectOf(settings: OpenStackSettings, secret: string): Promise<string> {
  const session = createOpenStackSession('little', settings, {
    secret: () => Promise.resolve(secret),
    readText: () => Promise.reject(new TypeError('no file is named')),
    nowMs: () => Date.now(),
  });
  sessions.push(session);
  const call = { signal: AbortSignal.timeout(20_000) };
  return await session.projectId(call);
}

/** An application credential of the little cloud's user, and how to be rid of it. */
async function applicationCredential(cloud: LittleCloud) {
  const { auth_url: url = '', username = '', project_name: project = '' } = cloud.settings;
  const domain = { name: 'Default' };
  const user = { name: username, domain, password: cloud.password };
  const auth = {
    identity: { methods: ['password'], password: { user } },
    scope: { project: { name: project, domain } },
  };
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
  const login = await post('/auth/tokens', { auth });
  const { token } = await login.json();
  const headers = { 'x-auth-token': login.headers.get('x-subject-token') ?? '' };
  const path = `/users/${token.user.id}/application_credentials`;
  const made = await post(path, {
    application_credential: { name: `nepho-test-${Date.now()}`, roles: [{ name: 'admin' }] },
  }, headers);
  const { application_credential: credential } = await made.json();
  return {
    id: String(credential.id),
    name: String(credential.name),
    userId: String(token.user.id),
    secret: String(credential.secret),
    async remove() {
      await fetch(`${url}${path}/${credential.id}`, { method: 'DELETE', headers });
    },
  };
}

if (typeof found === 'string') {
  test('logging in to a real Keystone', { skip }, () => {});
} else {
  const { settings, password, projectId } = found;

  test('a password logs in, to a project by name or by id', async () => {
    assert.equal(await projectOf(settings, password), projectId);
    const { project_name: _name, project_domain_name: _domain, ...byId } = settings;
    assert.equal(await projectOf({ ...byId, project_id: projectId }, password), projectId);
  });

  test('an application credential logs in, by id or by name', async () => {
    const credential = await applicationCredential(found);
    const secret = {
      auth_url: settings.auth_url,
      application_credential_secret_env: 'SECRET',
    };
    try {
      const byId = { ...secret, application_credential_id: credential.id };
      assert.equal(await projectOf(byId, credential.secret), projectId);
      const byName = {
        ...secret,
        application_credential_name: credential.name,
        user_id: credential.userId,
      };
      assert.equal(await projectOf(byName, credential.secret), projectId);
    } finally {
      await credential.remove();
    }
  });

  test('an entry of clouds.yaml logs in', async () => {
    const { auth_url, username, project_name, user_domain_name, project_domain_name } = settings;
    const auth = {
      auth_url,
      username,
      password,
      project_name,
      user_domain_name,
      project_domain_name,
    };
    const file = JSON.stringify({ clouds: { little: { auth, interface: 'public' } } });
    assert.equal(await projectOf({ clouds_file: '/etc/openstack/clouds.yaml' }, file), projectId);
  });

  test('a wrong password is one clear state', async () => {
    await assert.rejects(projectOf(settings, 'not the password'), (error: unknown) => {
      assert.ok(isNephoError(error));
      assert.equal(error.code, 'unauthorised');
      assert.match(error.message, /Keystone refuses the credentials/);
      return true;
    });
  });
}
