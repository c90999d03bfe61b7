/** What an embedded system keeps between its starts beside its data: ports, passwords, identity. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { createKeyFile } from '../ledger/key_file.ts';
import { isNephoError, NephoError } from '../meters/errors.ts';
import type { Settings } from './env.ts';

const stateSchema = z.object({
  /** Fixed at the first start: they are part of what was signed. */
  deployment: z.string(),
  shards: z.int(),
  /** Other users of this machine can reach the loopback address. */
  natsPassword: z.string(),
  pglitePassword: z.string(),
  /** Kept, so that a bridge beside the system finds it again after a restart. */
  natsPort: z.int().nullable(),
});

export type EmbeddedState = z.output<typeof stateSchema>;

export interface HomePaths {
  state: string;
  signingKey: string;
  operatorToken: string;
  logs: string;
  nats: string;
  pglite: string;
  temporal: string;
  demo: string;
}

export function homePaths(home: string): HomePaths {
  return {
    state: path.join(home, 'state.json'),
    signingKey: path.join(home, 'keys', 'signing.key'),
    operatorToken: path.join(home, 'keys', 'operator.token'),
    logs: path.join(home, 'logs'),
    nats: path.join(home, 'nats'),
    pglite: path.join(home, 'pglite'),
    temporal: path.join(home, 'temporal.db'),
    demo: path.join(home, 'demo.json'),
  };
}

/**
 * The state of a home, made at its first start.
 *
 * @throws {NephoError} `state_invalid`, `identity_conflict` if a variable says otherwise than the first
 * start did
 */
export async function openState(settings: Settings): Promise<EmbeddedState> {
  const file = homePaths(settings.home).state;
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return makeState(settings);
  let state: EmbeddedState;
  try {
    state = stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new NephoError(
      'state_invalid',
      `Cannot read '${file}': it is not what nepho wrote, restore it or name another NEPHO_HOME`,
      { cause },
    );
  }
  refuseOther(settings, 'NEPHO_DEPLOYMENT', { wanted: settings.deployment, is: state.deployment });
  refuseOther(settings, 'NEPHO_SHARDS', { wanted: settings.shards, is: state.shards });
  return state;
}

/** Written whole or not at all. */
export async function saveState(home: string, state: EmbeddedState): Promise<void> {
  const file = homePaths(home).state;
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Makes the folders and, at the first start, the key that signs. @returns true if it made the key */
export async function prepareHome(settings: Settings): Promise<boolean> {
  const paths = homePaths(settings.home);
  for (const folder of [path.dirname(paths.signingKey), paths.logs, paths.nats, paths.pglite]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  if (settings.signingKeys.length + settings.signingKeyFiles.length > 0) return false;
  try {
    await createKeyFile(paths.signingKey);
    return true;
  } catch (error) {
    if (isNephoError(error) && error.code === 'signing_key_exists') return false;
    throw error;
  }
}

async function makeState(settings: Settings): Promise<EmbeddedState> {
  const state: EmbeddedState = {
    deployment: settings.deployment,
    shards: settings.shards,
    natsPassword: randomBytes(18).toString('base64url'),
    pglitePassword: randomBytes(18).toString('base64url'),
    natsPort: null,
  };
  await saveState(settings.home, state);
  return state;
}

function refuseOther(
  settings: Settings,
  variable: string,
  { wanted, is }: { wanted: string | number; is: string | number },
): void {
  if (!settings.given.has(variable) || wanted === is) return;
  throw new NephoError(
    'identity_conflict',
    `Cannot start with ${variable}='${wanted}': '${settings.home}' was begun with '${is}', which is part of its logs; unset the variable or name another NEPHO_HOME`,
  );
}
