import { NephoError } from '../../meters/errors.ts';
import type { ReadSecret, SecretReference } from '../secret_reference.ts';
import { type CloudsFileEntry, readCloudsFile } from './clouds_file.ts';
import type { OpenStackSettings } from './settings_schema.ts';

/** A name with its domain, or an id. */
export type KeystoneName =
  | { id: string }
  | { name: string; domain: { id: string } | { name: string } };

/** Who logs in, where, and what is then used of the catalogue. */
export interface CloudAccess {
  /** Ends in `/v3`. */
  authUrl: string;
  identity:
    | { method: 'password'; user: KeystoneName; project: KeystoneName }
    | { method: 'application_credential'; id: string }
    | { method: 'application_credential'; name: string; user: KeystoneName };
  /** The password, or the application credential's secret; read anew for each login. */
  secret: () => Promise<string>;
  region: string | null;
  interface: 'public' | 'internal' | 'admin';
  /** PEM; null for the authorities of the system. */
  caCertificate: string | null;
}

export interface CloudAccessDeps {
  secret: ReadSecret;
  /** The text of a file. */
  readText: (path: string) => Promise<string>;
}

/**
 * Brings the settings of a cloud and, where they name one, its clouds.yaml together.
 *
 * @throws {NephoError} `unauthorised` with what is missing
 */
export async function cloudAccess(
  cloud: string,
  settings: OpenStackSettings,
  deps: CloudAccessDeps,
): Promise<CloudAccess> {
  const { clouds_file: file } = settings;
  const entryName = settings.clouds_entry ?? cloud;
  const readEntry = async (): Promise<CloudsFileEntry | null> =>
    // It holds passwords, hence is read as a secret: others must not be able to.
    file === undefined ? null : readCloudsFile(await deps.secret({ file }), file, entryName);
  const entry = await readEntry();
  const merged = { ...fromEntry(entry), ...defined(settings) };
  const need = (setting: keyof typeof merged): string => {
    const value = merged[setting];
    if (typeof value === 'string') return value;
    throw new NephoError('unauthorised', `Cannot log in to cloud '${cloud}': write '${setting}'`, {
      context: { cloud },
    });
  };
  const user = (): KeystoneName =>
    keystoneName(merged.user_id, () => need('username'), {
      id: merged.user_domain_id,
      name: merged.user_domain_name,
    });
  const caFile = merged.ca_file;
  return {
    authUrl: `${need('auth_url').replace(/\/+$/, '').replace(/\/v[23](?:\.\d+)?$/, '')}/v3`,
    identity: identityOf(merged, { need, user }),
    secret: secretOf(cloud, settings, { deps, readEntry }),
    region: merged.region_name ?? null,
    interface: merged.interface ?? 'public',
    caCertificate: caFile === undefined ? null : await deps.readText(caFile),
  };
}

type Merged = OpenStackSettings & { auth_type?: string | undefined };

function identityOf(
  merged: Merged,
  { need, user }: { need: (setting: keyof OpenStackSettings) => string; user: () => KeystoneName },
): CloudAccess['identity'] {
  const { application_credential_id: id, application_credential_name: name } = merged;
  const method = 'application_credential';
  if (id !== undefined) return { method, id };
  if (name !== undefined) return { method, name, user: user() };
  if (merged.auth_type === 'v3applicationcredential') {
    return { method, id: need('application_credential_id') };
  }
  return {
    method: 'password',
    user: user(),
    project: keystoneName(merged.project_id, () => need('project_name'), {
      id: merged.project_domain_id,
      name: merged.project_domain_name,
    }),
  };
}

/** A domain that is not named is `default`, as for OpenStack's own client. */
function keystoneName(
  id: string | undefined,
  name: () => string,
  domain: { id: string | undefined; name: string | undefined },
): KeystoneName {
  if (id !== undefined) return { id };
  return {
    name: name(),
    domain: domain.name === undefined ? { id: domain.id ?? 'default' } : { name: domain.name },
  };
}

function secretOf(
  cloud: string,
  settings: OpenStackSettings,
  { deps, readEntry }: {
    deps: CloudAccessDeps;
    readEntry: () => Promise<CloudsFileEntry | null>;
  },
): () => Promise<string> {
  const reference = referenceTo(
    settings.application_credential_secret_env ?? settings.password_env,
    settings.application_credential_secret_file ?? settings.password_file,
  );
  if (reference !== null) return () => deps.secret(reference);
  return async () => {
    const auth = (await readEntry())?.auth;
    const secret = auth?.application_credential_secret ?? auth?.password;
    if (secret !== undefined) return secret;
    throw new NephoError(
      'unauthorised',
      `Cannot log in to cloud '${cloud}': there is no password; write 'password_file'`,
      { context: { cloud } },
    );
  };
}

function referenceTo(env: string | undefined, file: string | undefined): SecretReference | null {
  if (env !== undefined) return { env };
  return file === undefined ? null : { file };
}

/** The settings that an entry of a clouds.yaml stands for. Its secrets stay where they are. */
function fromEntry(entry: CloudsFileEntry | null): Merged {
  if (entry === null) return {};
  const { password: _password, application_credential_secret: _secret, ...auth } = entry.auth;
  const side = entry.interface?.replace(/URL$/, '');
  return {
    ...defined(auth),
    ...(entry.region_name === undefined ? {} : { region_name: entry.region_name }),
    ...(side === 'internal' || side === 'admin' ? { interface: side } : {}),
    ...(entry.cacert === undefined ? {} : { ca_file: entry.cacert }),
    ...(entry.auth_type === undefined ? {} : { auth_type: entry.auth_type }),
  };
}

function defined<Value extends object>(value: Value): Value {
  return Object.fromEntries(
    Object.entries(value).filter(([, each]) => each !== undefined),
  ) as Value;
}
