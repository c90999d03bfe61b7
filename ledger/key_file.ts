import { chmod, open, readFile, stat } from 'node:fs/promises';
import { NephoError } from '../meters/errors.ts';
import { createSigner, generateSigningKey, type Signer } from './signer.ts';

/** Where a deployment's signing keys are. Several while a rotation overlaps: the newest first. */
export interface KeySources {
  /** The name that the keys sign by: that of the deployment. */
  name: string;
  /** Private keys in PKCS#8 PEM, as an environment variable or a secret's mount gives them. */
  values?: readonly string[];
  /** Files of such keys, readable by their owner only. */
  files?: readonly string[];
}

/** Group and others may do nothing with a private key. */
const FORBIDDEN_MODE = 0o077;

/**
 * The signers of a deployment: from values first, then from files.
 *
 * @throws {NephoError} `signing_key_missing` if there are none (there is no default key),
 * `signing_key_exposed`, `signing_key_invalid`, `key_name_invalid`
 */
export async function loadSigners(sources: KeySources): Promise<Signer[]> {
  const { name, values = [], files = [] } = sources;
  const pems = [...values, ...await Promise.all(files.map(readKeyFile))];
  if (pems.length === 0) {
    throw new NephoError(
      'signing_key_missing',
      `Cannot sign the log of '${name}': no signing key is configured and there is no default, make one with \`openssl genpkey -algorithm ed25519 -out FILE\``,
    );
  }
  const signers = pems.map((pem) => createSigner(name, pem));
  const twice = signers.find((one, index) =>
    signers.findIndex((other) => other.vkey === one.vkey) !== index
  );
  if (twice !== undefined) {
    throw new NephoError(
      'signing_key_invalid',
      `Cannot use the signing key ${twice.name}+${twice.keyHash}: it is configured twice`,
    );
  }
  return signers;
}

/**
 * The private key in a file.
 *
 * @throws {NephoError} `signing_key_missing` if there is none, `signing_key_exposed` if others than
 * its owner may read or write it
 */
export async function readKeyFile(path: string): Promise<string> {
  let mode: number;
  try {
    ({ mode } = await stat(path));
  } catch (cause) {
    throw new NephoError(
      'signing_key_missing',
      `Cannot read the signing key '${path}': there is no such file`,
      { cause, context: { path } },
    );
  }
  if (process.platform !== 'win32' && (mode & FORBIDDEN_MODE) !== 0) {
    throw new NephoError(
      'signing_key_exposed',
      `Cannot use the signing key '${path}': its mode is ${
        (mode & 0o777).toString(8).padStart(4, '0')
      }, and others than its owner have a right to it, run \`chmod 600 '${path}'\``,
      { context: { path } },
    );
  }
  return await readFile(path, 'utf8');
}

/**
 * Makes a key and writes it where its owner alone can read it. Never overwrites a file: a lost key
 * cannot be had back.
 *
 * @throws {NephoError} `signing_key_exists`
 */
export async function createKeyFile(path: string): Promise<void> {
  let file;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
    throw new NephoError(
      'signing_key_exists',
      `Cannot make the signing key '${path}': the file exists, move it away first`,
      { cause, context: { path } },
    );
  }
  try {
    await file.writeFile(generateSigningKey());
    await file.sync();
  } finally {
    await file.close();
  }
  // The mode given above is lessened by the process's umask, never widened; this restores it.
  await chmod(path, 0o600);
}
