import { z } from 'zod';
import { errorMessage } from '../../meters/errors.ts';
import { commandWords } from './command_words.ts';

const name = z.string().min(1).max(255);
const path = z.string().min(1).max(4_096);

/** A secret is named by a variable or a file, one of the two. */
function secretKeys<Name extends string>(key: Name) {
  return { [`${key}_env`]: name.optional(), [`${key}_file`]: path.optional() } as {
    [Key in `${Name}_env` | `${Name}_file`]: z.ZodOptional<z.ZodString>;
  };
}

const authentication = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('basic'), username: name, ...secretKeys('password') }),
  z.strictObject({ type: z.literal('bearer'), ...secretKeys('token') }),
  z.strictObject({
    type: z.literal('s3'),
    ...secretKeys('access_key'),
    ...secretKeys('secret_key'),
    /** The host under which buckets are subdomains; the host of the URL without. */
    server: name.optional(),
  }),
]).superRefine((entry, context) => {
  const given: Readonly<Record<string, unknown>> = entry;
  const keys = entry.type === 'basic'
    ? ['password']
    : entry.type === 'bearer'
    ? ['token']
    : ['access_key', 'secret_key'];
  for (const key of keys) {
    const [env, file] = [given[`${key}_env`], given[`${key}_file`]];
    if ((env === undefined) === (file === undefined)) {
      context.addIssue({
        code: 'custom',
        path: [`${key}_file`],
        message: `write either '${key}_env' or '${key}_file'`,
      });
    }
  }
});

const command = z.string().min(1).max(4_096).superRefine((text, context) => {
  try {
    commandWords(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: errorMessage(error) });
  }
});

/** `collectors: rest:` of polling.yaml. */
export const restSettingsSchema = z.strictObject({
  /** Folders of pollster files, `*.yaml`; a relative one is beside polling.yaml. */
  definitions_dirs: z.array(path).max(64).default([]),
  /** Ceilometer's namespaces that this deployment stands for: others' definitions are left out. */
  namespaces: z.array(name).min(1).max(64).default(['central']),
  /** The commands that `host_command` may run, word by word; `{}` stands for one word of the data. */
  host_commands: z.array(command).max(256).default([]),
  /** What definitions may name in `authentication`. */
  authentications: z.record(name, authentication).default({}),
});

export type RestSettings = z.output<typeof restSettingsSchema>;
export type NamedAuthentication = RestSettings['authentications'][string];
