import { createHash, randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { type ObjectStore, Objm } from '@nats-io/obj';
import { LARGE_BUCKET } from './subjects.ts';

/** What of the largest message is left for subject and headers. */
const HEADROOM_BYTES = 4_096;
/** What nats-server has unless configured. */
const DEFAULT_MAX_PAYLOAD = 1024 * 1024;
/** An object may be stored this long before its message is. */
const PUBLISH_MARGIN_MS = 60 * 60_000;

/** The bodies that are too large for a message of their server, in the bucket `nepho-large`. */
export class LargeBodies {
  readonly #nc: NatsConnection;
  #bucket: Promise<ObjectStore> | null = null;
  /** The server's, as it said last: a lost connection knows it no more. */
  #maxPayload = DEFAULT_MAX_PAYLOAD;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /** Bytes of the largest message that the server takes. */
  maxPayload(): number {
    this.#maxPayload = this.#nc.info?.max_payload ?? this.#maxPayload;
    return this.#maxPayload;
  }

  isLarge(bytes: Uint8Array): boolean {
    return bytes.byteLength > this.maxPayload() - HEADROOM_BYTES;
  }

  /**
   * Stores a body. Each time under a name of its own, the body's SHA-256 and something random: thus
   * nobody who still reads an object finds it replaced.
   */
  async put(bytes: Uint8Array): Promise<string> {
    const name = `${createHash('sha256').update(bytes).digest('hex')}.${randomUUID()}`;
    await (await this.#open()).putBlob({ name }, bytes);
    return name;
  }

  /** The body, its digest verified; null if there is none of that name. */
  async get(name: string): Promise<Uint8Array | null> {
    return await (await this.#open()).getBlob(name);
  }

  async remove(name: string): Promise<void> {
    await (await this.#open()).delete(name);
  }

  /** Removes what was stored long enough before a time that no message from then on can need it. */
  async removeOlderThan(timeMs: number): Promise<number> {
    const bucket = await this.#open();
    let removed = 0;
    for (const object of await bucket.list()) {
      if (object.deleted || Date.parse(object.mtime) > timeMs - PUBLISH_MARGIN_MS) continue;
      await bucket.delete(object.name);
      removed += 1;
    }
    return removed;
  }

  async #open(): Promise<ObjectStore> {
    this.#bucket ??= new Objm(jetstream(this.#nc)).open(LARGE_BUCKET);
    try {
      return await this.#bucket;
    } catch (error) {
      this.#bucket = null;
      throw error;
    }
  }
}
