import type { DefinitionKeys } from './definition_node.ts';
import type { Allowance } from './definition_request.ts';
import type { Authentication, AuthenticationScheme } from './rest_definition.ts';

/** Python's classes that are known from Ceilometer's documentation, and what they do. */
const CLASSES: ReadonlyMap<string, AuthenticationScheme> = new Map([
  ['awsauth.S3Auth', 's3'],
  ['requests_aws.S3Auth', 's3'],
  ['requests.auth.HTTPBasicAuth', 'basic'],
]);

/**
 * How somebody else's API is told who asks.
 *
 * @returns undefined if it is none, but a service of the cloud; null after a fault
 */
export function readAuthentication(
  keys: DefinitionKeys,
  allowance: Allowance,
): Authentication | null | undefined {
  const named = keys.text('authentication');
  const module = keys.text('module');
  if (named === undefined) {
    return module === undefined ? undefined : readClass(keys, module.text, allowance);
  }
  if (named.text === 'none') return { kind: 'none' };
  if (allowance.authentications.has(named.text)) return { kind: 'named', name: named.text };
  keys.fault(
    'value_invalid',
    named.place,
    `There is no authentication '${named.text}'`,
    "Write 'none', or add it to 'authentications' of the settings of collectors: rest:",
  );
  return null;
}

function readClass(
  keys: DefinitionKeys,
  module: string,
  allowance: Allowance,
): Authentication | null {
  const object = keys.text('authentication_object');
  if (object === undefined) {
    keys.missing('authentication_object', "Add it, or write 'authentication: name'");
    return null;
  }
  const scheme = CLASSES.get(`${module}.${object.text}`);
  if (scheme === undefined) {
    keys.fault(
      'not_allowed',
      object.place,
      `The Python class '${module}.${object.text}' cannot be loaded`,
      "Write 'authentication: name' in its place, and under that name a basic, bearer or s3 authentication in the settings",
    );
    return null;
  }
  const parameters = keys.text('authentication_parameters');
  if (parameters !== undefined) {
    if (allowance.authentications.has(parameters.text)) {
      return { kind: 'named', name: parameters.text };
    }
    if (allowance.isPrivate) return { kind: 'inline', scheme, parameters: parameters.text };
    keys.fault(
      'not_allowed',
      parameters.place,
      'A file that others can read holds a secret',
      "Write 'authentication: name' and the secret's place in the settings, or let only the owner read the file (chmod 600)",
    );
    return null;
  }
  const secretId = keys.text('barbican_secret_id');
  if (secretId !== undefined && /^[0-9A-Za-z-]{1,64}$/.test(secretId.text)) {
    return { kind: 'barbican', scheme, secretId: secretId.text };
  }
  if (secretId === undefined) {
    keys.missing(
      'authentication_parameters',
      "Write 'authentication: name', or barbican_secret_id",
    );
  } else {
    keys.fault('value_invalid', secretId.place, "'barbican_secret_id' is no id", 'Write the UUID');
  }
  return null;
}
