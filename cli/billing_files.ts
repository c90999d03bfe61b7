import { stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ConfigurationSource } from '../activities/configuration_source.ts';
import { type BillingConfig, DEFAULT_BILLING } from '../meters/billing_config.ts';
import { parseBilling } from '../meters/billing_parse.ts';
import { formatFault } from '../meters/definition_fault.ts';
import { NephoError } from '../meters/errors.ts';
import { isThere, readRegular } from './regular_file.ts';

const MAX_BILLING_BYTES = 8 * 1024 * 1024;
const MAX_AUTHORITIES_BYTES = 1024 * 1024;

/** Where billing.yaml may be. */
export interface BillingPlaces {
  /** The first that is there counts; absolute. */
  billingFiles: readonly string[];
  /** True if one of them was named, so that it must be there. */
  isBillingNamed: boolean;
}

/** What billing.yaml says, read anew as it changes. */
export interface BillingSource {
  current(): Promise<BillingConfig>;
  /** The folder that files named in it are relative to. */
  readonly baseDir: string;
}

/**
 * The billing.yaml that is in force; the defaults where there is none. A file that becomes faulty leaves the
 * former one in force, and is told.
 *
 * @param warn told each fault of a file that was changed, and each warning
 * @throws {NephoError} `billing_file_missing`, `billing_file_unreadable`, `billing_faulty` with every fault
 */
export async function openBillingSource(
  places: BillingPlaces,
  warn: (warning: string) => void,
): Promise<BillingSource> {
  const file = await findBillingFile(places);
  if (file === null) {
    return { current: () => Promise.resolve(DEFAULT_BILLING), baseDir: process.cwd() };
  }
  const source = new ConfigurationSource<BillingConfig>({
    stamp: async () => {
      const { mtimeMs, ctimeMs, size, ino } = await stat(file);
      return JSON.stringify([mtimeMs, ctimeMs, size, ino]);
    },
    read: async () => ({ file, text: new TextDecoder().decode(await readFile(file)) }),
    parse: parseBilling,
    nowMs: Date.now,
    faulty: { code: 'billing_faulty', action: 'bill without a configuration' },
  });
  await firstOf(source, file, warn);
  let toldFault: string | null = null;
  return {
    baseDir: path.dirname(file),
    current: async () => {
      const { config } = await source.current();
      if (source.fault !== null && source.fault !== toldFault) warn(source.fault);
      toldFault = source.fault;
      return config;
    },
  };
}

/** Reads files with certificates, relative to a folder. */
export function authorityReader(baseDir: string): (file: string) => Promise<string> {
  return async (named) => {
    const file = path.resolve(baseDir, named);
    const bytes = await readRegular(
      file,
      MAX_AUTHORITIES_BYTES,
      (_, reason, cause) =>
        new NephoError(
          'ca_file_unreadable',
          `Cannot read the certificates in '${file}': ${reason}`,
          { context: { file }, cause, retryable: true },
        ),
    );
    return new TextDecoder().decode(bytes);
  };
}

async function findBillingFile(
  { billingFiles, isBillingNamed }: BillingPlaces,
): Promise<string | null> {
  for (const file of billingFiles) if (await isThere(file)) return file;
  if (!isBillingNamed) return null;
  throw new NephoError(
    'billing_file_missing',
    `Cannot bill: there is no '${billingFiles[0]}', write it or correct NEPHO_BILLING`,
  );
}

async function firstOf(
  source: ConfigurationSource<BillingConfig>,
  file: string,
  warn: (warning: string) => void,
): Promise<void> {
  try {
    const { warnings } = await source.current();
    warnings.map(formatFault).forEach(warn);
  } catch (error) {
    if (source.faults.length === 0) throw error;
    const count = source.faults.length === 1 ? 'a fault' : `${source.faults.length} faults`;
    throw new NephoError(
      'billing_faulty',
      `${source.faults.map(formatFault).join('\n')}\nCannot use '${file}': it has ${count}`,
    );
  }
}

async function readFile(file: string): Promise<Uint8Array> {
  return await readRegular(file, MAX_BILLING_BYTES, (_, reason, cause) =>
    new NephoError(
      'billing_file_unreadable',
      `Cannot read the billing configuration '${file}': ${reason}`,
      { context: { file }, cause, retryable: true },
    ));
}
