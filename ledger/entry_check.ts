import { NephoError } from '../meters/errors.ts';
import { type LogEntry, readKnownEntry } from './entry.ts';
import { digestOfDefinitions } from './identity.ts';
import type { KeyEntry } from './key_entry.ts';
import type { RevisionEntry, WindowChange } from './revision_entry.ts';
import type { SealEntry } from './seal_entry.ts';
import type { StatementEntry } from './statement_entry.ts';
import { digestOfUsageRules } from './usage_rules_entry.ts';
import { checkSampleId } from './verify_receipt.ts';

/** What each entry of a log is checked for beside its place in the tree, in this order. */
export type EntryStep =
  | 'entry' // it is a record in canonical form
  | 'sample_id' // a sample's id is the one that its origin gives
  | 'definitions' // what names definitions names some that the log recorded before
  | 'usage_rules' // what names usage rules names some that the log recorded before
  | 'seal' // a seal follows the one before it, hour by hour, and covers nothing that came after it
  | 'revision' // a revision is of closed hours, follows the version before it, and covers nothing later
  | 'statement'; // a statement covers nothing of this log that came after it

/** Windows whose newest version is remembered: it bounds memory, and older ones are checked no more. */
const MAX_REVISED = 100_000;

/** Reads the entries of a log in their order, and remembers what the check of later ones needs. */
export class EntryCheck {
  readonly keys: KeyEntry[] = [];
  readonly kinds = new Map<string, number>();
  lastRecordedAt: string | null = null;
  readonly #origin: string;
  /** Moves on as the steps do, so that a failure is named by where it happened. */
  readonly #at: { step: string; place: string };
  readonly #definitions = new Set<string>();
  readonly #usageRules = new Set<string>();
  #seal: { index: number; entry: SealEntry } | null = null;
  readonly #revised = new Map<string, WindowChange>();
  #forgot = false;

  constructor(origin: string, at: { step: string; place: string }) {
    this.#origin = origin;
    this.#at = at;
  }

  /** @throws {NephoError} whatever is wrong with the entry */
  read(index: number, bytes: Uint8Array): void {
    this.#at.place = `entry ${index}`;
    this.#at.step = 'entry' satisfies EntryStep;
    const entry = readKnownEntry(bytes);
    const kind = entry?.kind ?? 'unknown';
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    if (entry === null) return;
    this.lastRecordedAt = entry.recorded_at;
    this.#check(index, entry);
  }

  #check(index: number, entry: LogEntry): void {
    switch (entry.kind) {
      case 'sample':
        this.#enter('sample_id');
        checkSampleId(entry);
        this.#checkDefinitions([entry.definitions]);
        break;
      case 'definitions':
        this.#enter('definitions');
        if (entry.digest !== digestOfDefinitions(entry.files)) throw digestWrong(entry.digest);
        this.#definitions.add(entry.digest);
        break;
      case 'key':
        this.keys.push(entry);
        break;
      case 'usage_rules':
        this.#enter('usage_rules');
        if (entry.digest !== digestOfUsageRules(entry.rules)) throw digestWrong(entry.digest);
        this.#usageRules.add(entry.digest);
        break;
      case 'seal':
        this.#checkSeal(index, entry);
        break;
      case 'revision':
        this.#checkRevision(index, entry);
        break;
      case 'statement':
        this.#checkStatement(index, entry);
        break;
      case 'history':
      case 'archive':
        break;
    }
  }

  #enter(step: EntryStep): void {
    this.#at.step = step;
  }

  #checkDefinitions(digests: readonly string[]): void {
    this.#enter('definitions');
    const unknown = digests.find((digest) => !this.#definitions.has(digest));
    if (unknown === undefined) return;
    throw logFinding(
      'definitions_unknown',
      `an entry names definitions ${unknown}, which no entry before it records`,
    );
  }

  #checkUsageRules(digest: string): void {
    this.#enter('usage_rules');
    if (this.#usageRules.has(digest)) return;
    throw logFinding(
      'usage_rules_unknown',
      `an entry names usage rules ${digest}, which no entry before it records`,
    );
  }

  #checkSeal(index: number, entry: SealEntry): void {
    this.#checkDefinitions(entry.definitions);
    this.#checkUsageRules(entry.rules);
    this.#enter('seal');
    const former = this.#seal;
    if (entry.previous !== (former?.index ?? null)) {
      throw sealWrong(
        `it names ${entry.previous} as the seal before it, which is ${former?.index}`,
      );
    }
    if (former !== null && entry.start !== former.entry.end) {
      throw sealWrong(`it is of ${entry.start}, the hour that follows is ${former.entry.end}`);
    }
    if (entry.covers_to > index || entry.covers_to < (former?.entry.covers_to ?? 0)) {
      throw sealWrong(`it covers ${entry.covers_to} entries`);
    }
    this.#seal = { index, entry };
  }

  #checkRevision(index: number, entry: RevisionEntry): void {
    this.#checkUsageRules(entry.rules);
    this.#enter('revision');
    const { covers_from, covers_to, cause, changes } = entry;
    if (covers_from > covers_to || covers_to > index) {
      throw revisionWrong(`it covers entries ${covers_from} to ${covers_to}`);
    }
    if (
      cause.first_leaf < covers_from || cause.last_leaf < cause.first_leaf ||
      cause.last_leaf >= covers_to
    ) {
      throw revisionWrong(
        `entries ${cause.first_leaf} to ${cause.last_leaf} are not what it covers`,
      );
    }
    changes.forEach((change) => this.#checkChange(change));
  }

  #checkChange(change: WindowChange): void {
    const { series, start, revision, before } = change;
    // Hours before the first seal are closed as well: what comes for them is late.
    if (this.#seal === null || start >= this.#seal.entry.end) {
      throw revisionWrong(`it revises ${start}, which is not closed`);
    }
    const key = `${series} ${start}`;
    const former = this.#revised.get(key);
    const isNext = former === undefined
      ? revision === 1 || this.#forgot
      : revision === former.revision + 1 && before === former.after;
    if (!isNext) {
      throw revisionWrong(
        `revision ${revision} of series ${series} at ${start} does not follow ${
          former?.revision ?? 0
        }`,
      );
    }
    // A map keeps the order of insertion: the one revised longest ago is first.
    this.#revised.delete(key);
    this.#revised.set(key, change);
    if (this.#revised.size <= MAX_REVISED) return;
    const [oldest] = this.#revised.keys();
    if (oldest !== undefined) this.#revised.delete(oldest);
    this.#forgot = true;
  }

  #checkStatement(index: number, entry: StatementEntry): void {
    this.#enter('statement');
    const own = entry.covers.find(({ origin }) => origin === this.#origin);
    if (own === undefined || own.size <= index) return;
    throw logFinding('statement_wrong', `a statement covers ${own.size} entries of this log`);
  }
}

/** What is wrong with a log, as an error. */
export function logFinding(code: string, reason: string): NephoError {
  return new NephoError(code, `Cannot accept the log: ${reason}`);
}

function digestWrong(digest: string): NephoError {
  return logFinding('definitions_wrong', `${digest} is not the digest of what it names`);
}

function sealWrong(reason: string): NephoError {
  return logFinding('seal_wrong', `a seal does not follow those before it: ${reason}`);
}

function revisionWrong(reason: string): NephoError {
  return logFinding('revision_wrong', `a revision does not follow what is before it: ${reason}`);
}
