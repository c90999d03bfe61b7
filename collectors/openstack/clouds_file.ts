import { parse } from 'yaml';
import { z } from 'zod';
import { errorMessage, NephoError } from '../../meters/errors.ts';

const text = z.union([z.string(), z.number().transform(String)]).optional();

/** What is read of an entry; openstacksdk knows more, which does not concern us. */
const cloudSchema = z.looseObject({
  auth: z.looseObject({
    auth_url: text,
    username: text,
    user_id: text,
    user_domain_name: text,
    user_domain_id: text,
    password: text,
    project_name: text,
    project_id: text,
    project_domain_name: text,
    project_domain_id: text,
    application_credential_id: text,
    application_credential_name: text,
    application_credential_secret: text,
  }),
  auth_type: z.enum(['password', 'v3password', 'v3applicationcredential']).optional(),
  region_name: text,
  interface: text,
  cacert: text,
  verify: z.boolean().optional(),
});

export type CloudsFileEntry = z.output<typeof cloudSchema>;

const MAX_LENGTH = 1_048_576;

/**
 * One entry of a clouds.yaml as openstacksdk writes it.
 *
 * @throws {NephoError} `unauthorised`: without it nobody can log in
 */
export function readCloudsFile(source: string, file: string, cloud: string): CloudsFileEntry {
  const refuse = (why: string): NephoError =>
    new NephoError('unauthorised', `Cannot read cloud '${cloud}' from '${file}': ${why}`, {
      context: { cloud, file },
    });
  if (source.length > MAX_LENGTH) throw refuse('the file is too long');
  let document: unknown;
  try {
    document = parse(source, { logLevel: 'error' });
  } catch (error) {
    // What follows the first line of a message quotes the file, and with it perhaps a password.
    throw refuse(`it is no YAML (${errorMessage(error).split(/:?\n/, 1)[0]})`);
  }
  const clouds = z.looseObject({ clouds: z.record(z.string(), z.unknown()) }).safeParse(document);
  if (!clouds.success) throw refuse("there is no 'clouds:'");
  const entry = clouds.data.clouds[cloud];
  if (entry === undefined) {
    const names = Object.keys(clouds.data.clouds).slice(0, 10).map((each) => `'${each}'`);
    throw refuse(`there is no such entry, but ${names.join(', ') || 'none at all'}`);
  }
  const parsed = cloudSchema.safeParse(entry);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(`'${issue?.path.join('.')}' is wrong: ${issue?.message}`);
  }
  if (parsed.data.verify === false) {
    throw refuse("'verify: false' is not obeyed: name the cloud's authority in 'cacert'");
  }
  return parsed.data;
}
