import { z } from 'zod';

const name = z.string().min(1).max(255);
const path = z.string().min(1).max(4_096);

const target = z.strictObject({
  /** Of the BMC, name or address. Never begins like an option of ipmitool. */
  host: z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9_.:%-]{0,252}$/),
  port: z.int().min(1).max(65_535).default(623),
  /** `lan` for BMCs that know only IPMI 1.5. */
  interface: z.enum(['lanplus', 'lan']).default('lanplus'),
  /** What the samples call the node; `host` without. */
  resource_id: z.string().min(1).max(200).optional(),
  user: name.max(16),
  password_env: name.optional(),
  password_file: path.optional(),
  privilege: z.enum(['user', 'operator', 'administrator']).default('user'),
  /** Of RMCP+, as 3 or 17; found out by ipmitool if not given. */
  cipher_suite: z.int().min(0).max(255).optional(),
}).superRefine((entry, context) => {
  if ((entry.password_env === undefined) !== (entry.password_file === undefined)) return;
  const message = "write either 'password_env' or 'password_file'";
  context.addIssue({ code: 'custom', path: ['password_file'], message });
});

/** `collectors: ipmi:` of polling.yaml. Times in seconds. */
export const ipmiSettingsSchema = z.strictObject({
  /** Whether the BMC of the worker's own host is read; yes where there are no targets. */
  local: z.boolean().optional(),
  /** The number of its device, `/dev/ipmi0`. */
  device: z.int().min(0).max(255).default(0),
  /** What the samples call the worker's host; its host name if not given. */
  host: z.string().min(1).max(200).optional(),
  targets: z.array(target).max(10_000).default([]),
  /** A name in the usual directories, or an absolute path. */
  ipmitool: z.string().min(1).max(1_024).default('ipmitool'),
  /** For one call of ipmitool: a BMC may take a second for a few sensors. */
  timeout: z.number().positive().max(600).default(50),
  /** From a question over the network to its repetition. */
  retry_interval: z.int().min(1).max(30).default(2),
  /** Questions over the network asked again when no answer came. */
  retries: z.int().min(1).max(10).default(3),
}).superRefine(({ targets }, context) => {
  const seen = new Set<string>();
  for (const [index, target] of targets.entries()) {
    const id = target.resource_id ?? target.host;
    const message = `'${id}' stands for another target too`;
    if (seen.has(id)) {
      context.addIssue({ code: 'custom', path: ['targets', index, 'resource_id'], message });
    }
    seen.add(id);
  }
});

export type IpmiSettings = z.output<typeof ipmiSettingsSchema>;
export type IpmiTarget = IpmiSettings['targets'][number];
