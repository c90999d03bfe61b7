import type { ArchivedSample } from '../../ledger/archive_block.ts';

/**
 * Samples as a cloud leaves them: every instance is polled for gauges and counters at a time of its own, and
 * notifications tell of things in between, three samples each, with metadata that changes now and then.
 */
export function archivedMonth(
  size: { resources: number; polls: number; notifications: number },
): ArchivedSample[] {
  const random = generator(7);
  const samples: ArchivedSample[] = [];
  let originId = 0;
  let metadataId = 1;
  const add = (sample: Omit<ArchivedSample, 'position' | 'ordinal'>): void => {
    samples.push({
      position: samples.length + Math.floor(samples.length / 1_500),
      ordinal: null,
      ...sample,
    });
  };
  const every = 30 * 86_400e6 / Math.max(1, size.polls);
  const told = size.notifications / Math.max(1, size.polls);
  const cpu = Array.from({ length: size.resources }, () => Math.floor(random() * 1e13));
  const metadata = cpu.map((_, resource) => resource);
  for (let poll = 0; poll < size.polls; poll += 1) {
    const start = START_MICROS + poll * every;
    for (let resource = 0; resource < size.resources; resource += 1) {
      originId += 1;
      if (random() < 0.002) metadata[resource] = size.resources + (metadataId += 1);
      cpu[resource] = (cpu[resource] ?? 0) + Math.floor(random() * 6e11);
      const micros = Math.floor(start + resource * 40_000 + random() * 30_000);
      const volumes = [
        String(cpu[resource]),
        '4',
        String(2_048 + Math.floor(random() * 400)),
        (random() * 100).toFixed(6).replace(/0+$/, '').replace(/\.$/, ''),
      ];
      volumes.forEach((volume, meter) => {
        add({
          micros,
          originId,
          seriesId: 10 + resource * 8 + meter,
          metadataId: metadata[resource] ?? 0,
          volume,
        });
      });
    }
    for (let told_ = 0; told_ < told; told_ += 1) {
      originId += 1;
      metadataId += 1;
      const resource = Math.floor(random() * size.resources * 4);
      const micros = Math.floor(start + random() * every);
      for (let meter = 4; meter < 7; meter += 1) {
        add({
          micros,
          originId,
          seriesId: 10 + resource * 8 + meter,
          metadataId: size.resources + metadataId,
          volume: meter === 4 ? '1' : String(Math.floor(random() * 5e9)),
        });
      }
    }
  }
  return samples;
}

const START_MICROS = Date.UTC(2026, 9, 1) * 1_000;

/** Numbers from 0 to 1, the same in every run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
