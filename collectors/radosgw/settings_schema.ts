import { z } from 'zod';

const text = z.string().min(1).max(4_096);
const gatewayUrl = z.url({ protocol: /^https?$/ }).max(2_048).refine((url) => {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  return parsed?.username === '' && parsed.password === '' && parsed.search === '';
}, 'write the URL without user, password and query');

/** `collectors: radosgw:` of polling.yaml. */
export const radosgwSettingsSchema = z.strictObject({
  /** Where the gateway's `/admin` is, without it. */
  url: gatewayUrl,
  access_key_env: text.optional(),
  access_key_file: text.optional(),
  secret_key_env: text.optional(),
  secret_key_file: text.optional(),
  /** The gateway's `rgw_keystone_implicit_tenants`: its users are then `<project>$<project>`. */
  implicit_tenants: z.boolean().default(false),
  /** The authorities to trust instead of those of the system, PEM. */
  ca_file: text.optional(),
  /** Requests at the same time. */
  concurrency: z.int().min(1).max(1_000).optional(),
  /** Seconds from a request to the end of its answer. */
  timeout: z.number().positive().max(3_600).optional(),
}).superRefine((settings, context) => {
  for (const key of ['access_key', 'secret_key'] as const) {
    const isOne =
      (settings[`${key}_env`] === undefined) !== (settings[`${key}_file`] === undefined);
    if (isOne) continue;
    const message = `write either '${key}_env' or '${key}_file'`;
    context.addIssue({ code: 'custom', path: [`${key}_file`], message });
  }
});

export type RadosgwSettings = z.output<typeof radosgwSettingsSchema>;
