/** Publishes the life of the demonstration cloud through the real bus. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { IntakePublisher, Publication } from '../bus/publisher.ts';
import { assert } from '../meters/assert.ts';
import { decodeNotification } from '../meters/notification.ts';
import { lateUpload, lifeOfCloud } from './demo_cloud.ts';
import type { DemoNotification } from './demo/oslo.ts';

const DAY_MS = 24 * 3_600_000;
/** Of the demonstration's cloud. */
export const DEMO_SEED = 'five projects';
const BATCH = 500;
/** In real time the cloud is looked at this often. */
const LIVE_EVERY_MS = 2_000;

const memorySchema = z.object({
  seed: z.string(),
  /** When the cloud began, and until when its life was published: milliseconds since 1970. */
  startMs: z.int(),
  untilMs: z.int(),
});

export type DemoMemory = z.output<typeof memorySchema>;

export interface FeedCounts {
  /** Taken by JetStream. */
  published: number;
  /** That JetStream had already. */
  duplicates: number;
}

export interface FeedOptions {
  publisher: Pick<IntakePublisher, 'publishAll'>;
  /** Where the feed remembers how far it came. */
  file: string;
  nowMs: () => number;
}

/** A cloud that lives on from where the feed of an earlier start left it. */
export class DemoFeed {
  readonly memory: DemoMemory;
  readonly counts: FeedCounts = { published: 0, duplicates: 0 };
  readonly #options: FeedOptions;
  readonly #life: Generator<DemoNotification>;
  #next: DemoNotification | undefined;

  private constructor(memory: DemoMemory, options: FeedOptions) {
    this.memory = memory;
    this.#options = options;
    this.#life = lifeOfCloud(memory);
    // What was published is lived through again, unsaid. Of a long pause only what has been since the
    // beginning of yesterday is told, as a service that was switched off would have sent nothing.
    const fromMs = Math.max(memory.untilMs, startOfYesterday(options.nowMs()));
    do this.#advance(); while (this.#next !== undefined && this.#next.atMs <= fromMs);
  }

  /**
   * The cloud of a home. At its first start it began with yesterday, so that there is a whole day to
   * be closed and billed.
   */
  static async open(options: FeedOptions): Promise<DemoFeed> {
    const text = await readFile(options.file, 'utf8').catch(() => null);
    if (text !== null) return new DemoFeed(memorySchema.parse(JSON.parse(text)), options);
    const startMs = startOfYesterday(options.nowMs());
    return new DemoFeed({ seed: DEMO_SEED, startMs, untilMs: startMs - 1 }, options);
  }

  /** Publishes everything up to now, as fast as JetStream takes it. */
  async catchUp(): Promise<void> {
    const nowMs = this.#options.nowMs();
    let batch: Publication[] = [];
    for (; this.#next !== undefined && this.#next.atMs <= nowMs; this.#advance()) {
      batch.push(publicationOf(this.#next));
      if (batch.length < BATCH) continue;
      await this.#publish(batch);
      batch = [];
    }
    await this.#publish(batch);
    await this.#remember(nowMs);
  }

  /** Lives on in real time until `signal`. What is refused, as by a full intake, comes again later. */
  async live(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(LIVE_EVERY_MS, undefined, { signal }).catch(() => {});
      if (!signal.aborted) await this.catchUp();
    }
  }

  async #publish(batch: readonly Publication[]): Promise<void> {
    for (const outcome of await this.#options.publisher.publishAll(batch)) {
      if (outcome.status === 'refused') throw outcome.error;
      if (outcome.status === 'stored') this.counts.published += 1;
      else this.counts.duplicates += 1;
    }
  }

  #advance(): void {
    const { value, done } = this.#life.next();
    this.#next = done === true ? undefined : value;
  }

  /** Written whole or not at all. A crash before it means that some is published twice: no harm. */
  async #remember(untilMs: number): Promise<void> {
    const { file } = this.#options;
    await writeFile(`${file}.new`, JSON.stringify({ ...this.memory, untilMs }));
    await rename(`${file}.new`, file);
  }
}

/**
 * Tells, long after, of an upload at noon of a day. Told twice it changes nothing.
 *
 * @param dayMs first instant of the day
 * @returns its `message_id`
 */
export async function tellLate(
  publisher: FeedOptions['publisher'],
  dayMs: number,
): Promise<string> {
  const publication = publicationOf(lateUpload(DEMO_SEED, dayMs));
  const [outcome] = await publisher.publishAll([publication]);
  if (outcome?.status === 'refused') throw outcome.error;
  const { messageId } = decodeNotification(publication.bytes);
  assert(messageId !== null, 'every notification of the demonstration has an id');
  return messageId;
}

/** First instant, in UTC, of the day before that of `nowMs`. */
export function startOfYesterday(nowMs: number): number {
  return (Math.floor(nowMs / DAY_MS) - 1) * DAY_MS;
}

function publicationOf({ body, exchange, routingKey }: DemoNotification): Publication {
  return { bytes: new TextEncoder().encode(body), via: 'demo', exchange, routingKey };
}
