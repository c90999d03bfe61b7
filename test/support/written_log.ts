import type { Pool } from 'pg';
import {
  findOrMakeEventTypes,
  findOrMakeMetadata,
  findOrMakeSeries,
} from '../../db/dictionaries.ts';
import { enterDefinitionSet } from '../../db/enter_definition_set.ts';
import { LogWriter } from '../../db/log_writer.ts';
import { openLog } from '../../db/open_log.ts';
import type { AppendOutcome, PreparedOrigin, PreparedReject } from '../../db/prepared_batch.ts';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { encodeSampleEntry } from '../../ledger/sample_entry.ts';
import {
  definitionsDigest,
  metadataDigest,
  originKey,
  sampleId,
  seriesKey,
} from '../../ledger/identity.ts';
import { leafHash } from '../../ledger/merkle.ts';
import type { Reading } from '../../meters/sample.ts';
import { testSigner } from './test_signer.ts';

/** A notification that gave these readings, each of another meter or resource. */
export interface WrittenNotification {
  origin: string;
  eventType: string;
  readings: Reading[];
  /** 8 bytes of the content digest, as decimal text. */
  content?: string;
}

export const SOURCE = 'openstack';
export const DEFINITION_FILES = [{ name: 'test.yaml', text: 'metric: []\n' }];

/** A log that tests write to by the real writer, without decoding and definitions before it. */
export class WrittenLog {
  readonly #pool: Pool;
  readonly #logId: number;
  readonly #writer: LogWriter;

  static async open(pool: Pool, logId = 0): Promise<WrittenLog> {
    const origin = `nepho.example/log/${logId}`;
    const head = await openLog(pool, { logId, origin, holder: 'test' });
    const writer = new LogWriter(pool, head, {
      signers: [testSigner()],
      now: () => '2026-11-22T09:00:00.000000Z',
    });
    return new WrittenLog(pool, logId, writer);
  }

  private constructor(pool: Pool, logId: number, writer: LogWriter) {
    this.#pool = pool;
    this.#logId = logId;
    this.#writer = writer;
  }

  get writer(): LogWriter {
    return this.#writer;
  }

  async append(
    recordedAt: string,
    notifications: readonly WrittenNotification[],
    rejects: PreparedReject[] = [],
  ): Promise<AppendOutcome> {
    const definitions = definitionsDigest(DEFINITION_FILES);
    const definitionSetId = await enterDefinitionSet(this.#pool, {
      digest: definitions,
      files: DEFINITION_FILES,
    });
    const origins: PreparedOrigin[] = [];
    for (const notification of notifications) {
      origins.push(await this.#prepare(notification, { recordedAt, definitions }));
    }
    return await this.#writer.append({ recordedAt, definitionSetId, origins, rejects, polls: [] });
  }

  async #prepare(
    { origin, eventType, readings, content = '1' }: WrittenNotification,
    batch: { recordedAt: string; definitions: string },
  ): Promise<PreparedOrigin> {
    const [eventTypeId = 0] = await findOrMakeEventTypes(this.#pool, [eventType]);
    const samples = [];
    for (const reading of readings) samples.push(await this.#sample(reading, origin, batch));
    return {
      key: originKey(SOURCE, origin),
      source: SOURCE,
      origin,
      eventTypeId,
      content,
      withoutVolume: 0,
      matched: readings.length > 0,
      samples,
      bytes: new TextEncoder().encode(JSON.stringify({ message_id: origin, content })),
      eventType,
      via: 'send',
      streamSequence: null,
      poll: null,
    };
  }

  async #sample(
    { metadata, ...reading }: Reading,
    origin: string,
    { recordedAt, definitions }: { recordedAt: string; definitions: string },
  ) {
    const body = canonicalJson(metadata);
    const digest = metadataDigest(body);
    const series = { ...reading, source: SOURCE };
    const [seriesId = 0] = await findOrMakeSeries(this.#pool, this.#logId, [
      { ...series, key: seriesKey(this.#logId, series) },
    ]);
    const [metadataId = 0] = await findOrMakeMetadata(this.#pool, [{ digest, body }]);
    const { meter, resource_id, timestamp, volume } = reading;
    const id = sampleId({ source: SOURCE, origin, meter, resource_id, index: 0 });
    const entry = encodeSampleEntry({
      ...reading,
      source: SOURCE,
      id,
      definitions,
      index: 0,
      metadata: digest,
      origin,
      recorded_at: recordedAt,
    });
    return { id, seriesId, metadataId, ordinal: 0, timestamp, volume, leaf: leafHash(entry) };
  }
}
