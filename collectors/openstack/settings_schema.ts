import { z } from 'zod';

const name = z.string().min(1).max(255);
const path = z.string().min(1).max(4_096);
const httpUrl = z.url({ protocol: /^https?$/ }).max(2_048).refine((url) => {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  return parsed?.username === '' && parsed.password === '' && parsed.search === '';
}, 'write the URL without user, password and query');

/** What one service is spared, by its type in the catalogue; `*` for all that have none of their own. */
const endpointSettings = z.strictObject({
  /** Requests at the same time. */
  concurrency: z.int().min(1).max(1_000).optional(),
  /** Requests begun in a second; no limit without. */
  requests_per_second: z.number().positive().max(100_000).optional(),
  /** Seconds from a request to the end of its answer. */
  timeout: z.number().positive().max(3_600).optional(),
  /** Bytes of one answer. */
  max_bytes: z.int().min(1_024).max(1_073_741_824).optional(),
  /** Instead of the catalogue's; `%(project_id)s` in it stands for the token's project. */
  url: httpUrl.optional(),
});

/** One entry of `clouds:` in polling.yaml, or what the `OS_*` variables say. */
export const openStackSettingsSchema = z.strictObject({
  /** Keystone's, with `/v3` or without. */
  auth_url: httpUrl.optional(),
  username: name.optional(),
  user_id: name.optional(),
  user_domain_name: name.optional(),
  user_domain_id: name.optional(),
  password_env: name.optional(),
  password_file: path.optional(),
  project_name: name.optional(),
  project_id: name.optional(),
  project_domain_name: name.optional(),
  project_domain_id: name.optional(),
  application_credential_id: name.optional(),
  application_credential_name: name.optional(),
  application_credential_secret_env: name.optional(),
  application_credential_secret_file: path.optional(),
  /** A clouds.yaml; what stands beside it prevails. */
  clouds_file: path.optional(),
  /** The entry of {@link clouds_file}; that of the cloud's own name without. */
  clouds_entry: name.optional(),
  region_name: name.optional(),
  interface: z.enum(['public', 'internal', 'admin']).optional(),
  /** The authorities to trust instead of those of the system, PEM. */
  ca_file: path.optional(),
  endpoints: z.record(z.string().min(1).max(64), endpointSettings).optional(),
}).superRefine((entry, context) => {
  const fault = (key: string, message: string) =>
    context.addIssue({ code: 'custom', path: [key], message });
  const both = (left: keyof typeof entry, right: keyof typeof entry) => {
    if (entry[left] !== undefined && entry[right] !== undefined) {
      fault(right, `write either '${left}' or '${right}'`);
    }
  };
  both('password_env', 'password_file');
  both('application_credential_secret_env', 'application_credential_secret_file');
  both('username', 'user_id');
  both('user_domain_name', 'user_domain_id');
  both('project_name', 'project_id');
  both('project_domain_name', 'project_domain_id');
  both('application_credential_id', 'application_credential_name');
  if (entry.clouds_file !== undefined) return;
  const missing = missingSetting(entry);
  if (missing !== null) fault(missing, `write '${missing}'`);
});

export type OpenStackSettings = z.output<typeof openStackSettingsSchema>;

/**
 * The first setting without which nobody can log in, null if all are there. A domain that is not named
 * is `default`, as for OpenStack's own client.
 */
function missingSetting(entry: OpenStackSettings): keyof OpenStackSettings | null {
  if (entry.auth_url === undefined) return 'auth_url';
  const byCredential = entry.application_credential_id !== undefined ||
    entry.application_credential_name !== undefined;
  const user = entry.username ?? entry.user_id;
  if (byCredential) {
    const secret = entry.application_credential_secret_env ??
      entry.application_credential_secret_file;
    if (secret === undefined) return 'application_credential_secret_file';
    return entry.application_credential_id === undefined && user === undefined ? 'username' : null;
  }
  if (user === undefined) return 'username';
  if ((entry.password_env ?? entry.password_file) === undefined) return 'password_file';
  return (entry.project_name ?? entry.project_id) === undefined ? 'project_name' : null;
}

/** The `OS_*` variables by the setting that each stands for. */
const VARIABLES: Readonly<Record<string, keyof OpenStackSettings>> = {
  OS_AUTH_URL: 'auth_url',
  OS_USERNAME: 'username',
  OS_USER_ID: 'user_id',
  OS_USER_DOMAIN_NAME: 'user_domain_name',
  OS_USER_DOMAIN_ID: 'user_domain_id',
  OS_PROJECT_NAME: 'project_name',
  OS_PROJECT_ID: 'project_id',
  OS_PROJECT_DOMAIN_NAME: 'project_domain_name',
  OS_PROJECT_DOMAIN_ID: 'project_domain_id',
  OS_APPLICATION_CREDENTIAL_ID: 'application_credential_id',
  OS_APPLICATION_CREDENTIAL_NAME: 'application_credential_name',
  OS_CLIENT_CONFIG_FILE: 'clouds_file',
  OS_CLOUD: 'clouds_entry',
  OS_REGION_NAME: 'region_name',
  OS_CACERT: 'ca_file',
};

/**
 * The settings that the environment of OpenStack's client stands for, to be parsed as an entry of
 * polling.yaml is. Secrets are named, not taken along.
 *
 * @param environment given by whoever may read it
 */
export function openStackSettingsFrom(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [variable, setting] of Object.entries(VARIABLES)) {
    const value = environment[variable];
    if (value !== undefined && value !== '') settings[setting] = value;
  }
  // Both are often exported together; the id is the surer one, and the domain belongs to the name.
  if (settings['user_id'] !== undefined) delete settings['username'];
  if (settings['project_id'] !== undefined) delete settings['project_name'];
  if (settings['user_domain_id'] !== undefined) delete settings['user_domain_name'];
  if (settings['project_domain_id'] !== undefined) delete settings['project_domain_name'];
  if (settings['application_credential_id'] !== undefined) {
    delete settings['application_credential_name'];
  }
  const has = (variable: string) => (environment[variable] ?? '') !== '';
  if (has('OS_PASSWORD')) settings['password_env'] = 'OS_PASSWORD';
  if (has('OS_APPLICATION_CREDENTIAL_SECRET')) {
    settings['application_credential_secret_env'] = 'OS_APPLICATION_CREDENTIAL_SECRET';
  }
  if (has('OS_CLOUD')) settings['clouds_file'] ??= '/etc/openstack/clouds.yaml';
  const asked = environment['OS_INTERFACE'] ?? environment['OS_ENDPOINT_TYPE'] ?? '';
  if (asked !== '') settings['interface'] = asked.replace(/URL$/, '');
  return settings;
}
