import { z } from 'zod';
import type { SecretReference } from '../secret_reference.ts';

const name = z.string().min(1).max(255);
const path = z.string().min(1).max(4_096);
const port = z.int().min(1).max(65_535);

/** Host names and addresses as they stand in `snmp://…`. */
const host = z.string().regex(
  /^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,252}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/,
);

const communityAccess = z.strictObject({
  version: z.literal('2c'),
  community_env: name.optional(),
  community_file: path.optional(),
}).transform((access, context) => ({
  version: '2c' as const,
  community: oneReference(access.community_env, access.community_file, {
    key: 'community',
    context,
  }),
}));

const userAccess = z.strictObject({
  version: z.union([z.literal('3'), z.literal(3)]),
  user: name,
  /** SNMP's context, not ours. */
  context: z.string().max(255).default(''),
  auth_protocol: z.enum(['sha', 'sha224', 'sha256', 'sha384', 'sha512']).default('sha256'),
  auth_key_env: name.optional(),
  auth_key_file: path.optional(),
  /** `aes256b` is net-snmp's AES-256, `aes256r` Cisco's. */
  privacy_protocol: z.enum(['aes', 'aes256b', 'aes256r', 'none']).default('aes'),
  privacy_key_env: name.optional(),
  privacy_key_file: path.optional(),
}).transform((access, context) => ({
  version: '3' as const,
  user: access.user,
  context: access.context,
  authProtocol: access.auth_protocol,
  authKey: oneReference(access.auth_key_env, access.auth_key_file, { key: 'auth_key', context }),
  privacy: access.privacy_protocol === 'none' ? null : {
    protocol: access.privacy_protocol,
    key: oneReference(access.privacy_key_env, access.privacy_key_file, {
      key: 'privacy_key',
      context,
    }),
  },
}));

/** How an agent is asked: a community of SNMPv2c, or a user of SNMPv3 who signs and, unless told not to, encrypts. */
const access = z.union([communityAccess, userAccess]);

const target = z.strictObject({
  host,
  port: port.optional(),
  /** What the samples call the host; `host` without. */
  resource_id: z.string().min(1).max(200).optional(),
  access: access.optional(),
});

/** `collectors: snmp:` of polling.yaml. Times in seconds. */
export const snmpSettingsSchema = z.strictObject({
  /** For targets, and resources `snmp://host`, that have none of their own. */
  access: access.optional(),
  targets: z.array(target).max(100_000).default([]),
  /** From one question to its answer. */
  timeout: z.number().positive().max(60).default(2),
  /** Questions asked again when no answer came. */
  retries: z.int().min(0).max(10).default(1),
  /** For everything that one host is asked in a cycle. */
  deadline: z.number().positive().max(600).default(20),
  /** Rows of one table: disks, interfaces, processors. */
  max_rows: z.int().min(1).max(100_000).default(2_000),
}).superRefine(({ targets, access }, context) => {
  const seen = new Set<string>();
  for (const [index, target] of targets.entries()) {
    const fault = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: ['targets', index, key], message });
    const id = target.resource_id ?? target.host;
    if (seen.has(id)) fault('resource_id', `'${id}' stands for another target too`);
    seen.add(id);
    if (target.access === undefined && access === undefined) {
      fault('access', "write 'access' here, or beside 'targets' for all of them");
    }
  }
});

export type SnmpSettings = z.output<typeof snmpSettingsSchema>;
export type SnmpAccess = z.output<typeof access>;

function oneReference(
  env: string | undefined,
  file: string | undefined,
  { key, context }: { key: string; context: z.RefinementCtx },
): SecretReference {
  if ((env === undefined) !== (file === undefined)) {
    return env === undefined ? { file: file ?? '' } : { env };
  }
  const message = `write either '${key}_env' or '${key}_file'`;
  context.addIssue({ code: 'custom', path: [`${key}_file`], message });
  return z.NEVER;
}
