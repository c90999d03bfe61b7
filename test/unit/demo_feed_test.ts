import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Publication, PublishOutcome } from '../../bus/publisher.ts';
import { DemoFeed, startOfYesterday, tellLate } from '../../cli/demo_feed.ts';
import { decodeNotification } from '../../meters/notification.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOON = Date.UTC(2026, 0, 31, 12);

const home = mkdtempSync(join(tmpdir(), 'nepho-feed-'));
after(() => rmSync(home, { recursive: true, force: true }));

/** A feed whose messages are kept. */
async function openFeed(file: string, nowMs: number) {
  const told: Publication[] = [];
  const feed = await DemoFeed.open({
    file: join(home, file),
    nowMs: () => nowMs,
    publisher: {
      async publishAll(list) {
        told.push(...list);
        return list.map((): PublishOutcome => ({ status: 'stored', shard: 0, sequence: 1 }));
      },
    },
  });
  const times = () => told.map(({ bytes }) => timeOf(bytes)).sort();
  return { feed, times };
}

function timeOf(bytes: Uint8Array): string {
  return decodeNotification(bytes).timestamp ?? '';
}

test('the first start tells the whole of yesterday and today until now', async () => {
  const { feed, times } = await openFeed('whole.json', NOON);
  await feed.catchUp();
  assert.match(times()[0] ?? '', /^2026-01-30 00:00:00/);
  assert.match(times().at(-1) ?? '', /^2026-01-31 1[12]:/);
});

test('a later start goes on where the feed was left, and never before yesterday', async () => {
  await openFeed('on.json', NOON).then(({ feed }) => feed.catchUp());
  const soon = await openFeed('on.json', NOON + HOUR_MS);
  await soon.feed.catchUp();
  assert.ok((soon.times()[0] ?? '') > '2026-01-31 12:00', soon.times()[0]);
  const late = await openFeed('on.json', NOON + 5 * DAY_MS);
  await late.feed.catchUp();
  assert.match(late.times()[0] ?? '', /^2026-02-04 00:/);
});

test('what is told late is told once more without a change, under the id that is answered', async () => {
  const told: string[] = [];
  const publisher: Parameters<typeof tellLate>[0] = {
    async publishAll(list) {
      told.push(...list.map(({ bytes }) => new TextDecoder().decode(bytes)));
      return list.map((): PublishOutcome => ({ status: 'stored', shard: 0, sequence: 1 }));
    },
  };
  const dayMs = startOfYesterday(NOON);
  assert.equal(dayMs, Date.UTC(2026, 0, 30));
  const id = await tellLate(publisher, dayMs);
  assert.equal(await tellLate(publisher, dayMs), id);
  assert.equal(told[0], told[1]);
  assert.ok(told[0]?.includes(id));
  assert.match(timeOf(new TextEncoder().encode(told[0])), /^2026-01-30 12:00:00/);
});
