import type { FinalStatement, RevisedUsage, SealedHour } from '../api/event_schema.ts';
import { parseEntry } from '../ledger/entry.ts';
import type { KeyEntry } from '../ledger/key_entry.ts';
import { parseStatementBundle } from '../ledger/statement_bundle.ts';
import { NephoError } from '../meters/errors.ts';
import { type ClientOptions, createClient, type NephoClient } from './client.ts';
import { explainCallError } from './errors.ts';
import { follow, type Followed, type FollowOptions } from './follow.ts';
import { type VerifiedStatement, verifyStatement } from './verify.ts';

/** Which statement: number 0 is the first of its period, the others are its amendments. */
export interface StatementName {
  project_id: string;
  /** The period's name, `2026-10`. */
  period: string;
  number: number;
}

/** What a billing system needs of nepho, and nothing else. Its types are inferred from the API. */
export interface BillingClient
  extends Pick<NephoClient, 'usage' | 'windows' | 'statements' | 'proofs'> {
  /** Statements and amendments as they become final, the oldest first, without end. */
  followStatements(options?: FollowOptions): AsyncGenerator<Followed<FinalStatement>>;
  /** Hours as they are sealed. */
  followSeals(options?: FollowOptions): AsyncGenerator<Followed<SealedHour>>;
  /** Sealed hours as late data corrects them. */
  followRevisions(options?: FollowOptions): AsyncGenerator<Followed<RevisedUsage>>;
  /**
   * A statement, believed only for its evidence: signature, receipt and arithmetic, and of an amendment
   * also that its differences are those from the statement before it. What the API says beside is not
   * asked for.
   *
   * @param trust `vkeys`: the public keys to believe, not had from this API. Newer keys that they endorsed
   *   are found by themselves.
   * @throws {NephoError} `statement_refused` with the step that broke; those of the call
   */
  fetchAndVerifyStatement(
    name: StatementName,
    trust: { vkeys: readonly string[] },
  ): Promise<VerifiedStatement>;
}

/**
 * A billing system's client, for Node, Deno and browsers.
 *
 * @example
 * const billing = createBillingClient({ url: 'http://127.0.0.1:8777', token });
 * const { usage } = await billing.usage.query.query({
 *   meter: 'volume.size',
 *   from: '2026-10-01T00:00:00Z',
 *   to: '2026-11-01T00:00:00Z',
 *   group_by: ['project_id'],
 * });
 */
export function createBillingClient(options: ClientOptions): BillingClient {
  const client = createClient(options);
  const { url } = options;
  const deps = { explain: (error: unknown) => explainCallError(error, url) };
  return {
    usage: client.usage,
    windows: client.windows,
    statements: client.statements,
    proofs: client.proofs,
    followStatements: (from = {}) =>
      follow(
        (cursor, observer) => client.statements.onFinal.subscribe({ cursor }, observer),
        from,
        deps,
      ),
    followSeals: (from = {}) =>
      follow(
        (cursor, observer) => client.windows.onSealed.subscribe({ cursor }, observer),
        from,
        deps,
      ),
    followRevisions: (from = {}) =>
      follow(
        (cursor, observer) => client.usage.onRevised.subscribe({ cursor }, observer),
        from,
        deps,
      ),
    fetchAndVerifyStatement: async (name, { vkeys }) => {
      try {
        return await fetchAndVerify(client, name, vkeys);
      } catch (error) {
        throw explainCallError(error, url);
      }
    },
  };
}

async function fetchAndVerify(
  client: NephoClient,
  name: StatementName,
  vkeys: readonly string[],
): Promise<VerifiedStatement> {
  // An event of a subscription has more in it.
  const { project_id, period, number } = name;
  const [bundle, former, keyEntries] = await Promise.all([
    client.statements.bundle.query({ project_id, period, number }),
    number === 0
      ? null
      : client.statements.bundle.query({ project_id, period, number: number - 1 }),
    announcedKeys(client),
  ]);
  const verified = await verifyStatement(bundle.bundle, {
    vkeys,
    keyEntries,
    ...former === null ? {} : { former: parseStatementBundle(former.bundle).document },
  });
  if (!verified.ok) throw refused(name, `${verified.message}, at step '${verified.step}'`);
  const { statement } = verified;
  // A genuine statement, but another one than was asked for.
  if (
    statement.project_id !== project_id || statement.period !== period ||
    statement.number !== number
  ) throw refused(name, 'it is another one');
  return verified;
}

/** They need no trust: each is endorsed by the key before it. */
async function announcedKeys(client: NephoClient): Promise<KeyEntry[]> {
  const { keys } = await client.logs.keys.query();
  return keys.toReversed().map(({ entry }) => parseEntry(entry))
    .filter((entry) => entry.kind === 'key');
}

function refused({ period, number }: StatementName, reason: string): NephoError {
  return new NephoError(
    'statement_refused',
    `Cannot believe statement ${number} of '${period}': ${reason}`,
  );
}
