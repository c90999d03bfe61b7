import { z } from 'zod';

/** `collectors: libvirt:` of polling.yaml. Times in seconds. */
export const libvirtSettingsSchema = z.strictObject({
  /** Where libvirt listens, as `virsh -c` takes it. */
  uri: z.string().max(1_024).regex(/^[a-z][a-z0-9+.-]*:\/\/\S*$/).default('qemu:///system'),
  /** What Nova calls this compute host (its option `host`); its host name if not given. */
  host: z.string().min(1).max(255).optional(),
  /** A name in the usual directories, or an absolute path. */
  virsh: z.string().min(1).max(1_024).default('virsh'),
  /** For one call of virsh. */
  timeout: z.number().positive().max(600).default(20),
  /** Domains whose description is read at the same time. */
  concurrency: z.int().min(1).max(64).default(4),
  /** How long the description of a domain that does not change is kept. */
  refresh: z.number().positive().max(86_400).default(600),
  /** False: wait for a domain that is busy with a job, and let all others wait with it. */
  nowait: z.boolean().default(true),
  /** What becomes of domains that Nova did not make. */
  foreign_domains: z.enum(['report', 'take', 'skip']).default('report'),
});

export type LibvirtSettings = z.output<typeof libvirtSettingsSchema>;
