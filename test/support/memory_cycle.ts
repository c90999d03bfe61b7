/** Cycles over things in memory, and what the intake is given of them. */
import assert from 'node:assert/strict';
import type { Collector, Discovery, Pollster, Unit } from '../../collectors/polling/pollster.ts';
import { NephoError } from '../../meters/errors.ts';
import type { PolledUnit, PollEnd, PollGap, PollHead } from '../../meters/poll_message.ts';
import { readPollMessage } from '../../meters/poll_message_reader.ts';
import { pollOnce, type PollOptions, readingOf } from './poll_world.ts';

export const HEAD: PollHead = {
  cloud: 'c',
  source: 's',
  group: 0,
  cycle: '2026-02-01T00:00:00.000000Z',
};

/** What the intake was given. */
export class Intake {
  readonly units: PolledUnit[] = [];
  readonly gaps: PollGap[] = [];
  end: PollEnd | null = null;
  messages = 0;

  readonly publish = (bytes: Uint8Array): Promise<void> => {
    const message = readPollMessage(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    assert.deepEqual(message.faulty, []);
    assert.equal(this.end, null, 'the end comes last');
    this.messages += 1;
    this.units.push(...message.units);
    this.gaps.push(...message.gaps);
    this.end = message.end;
    return Promise.resolve();
  };

  /** `pollster unit reason` of each gap. */
  reasons(): string[] {
    return this.gaps.map(({ pollster, unit, units, reason }) =>
      `${pollster} ${unit ?? `×${units}`} ${reason}`
    );
  }

  /** Of single units, as against those that could not be listed. */
  named(): PollGap[] {
    return this.gaps.filter(({ unit }) => unit !== null);
  }

  stored(): string[] {
    return this.units.map(({ pollster, unit }) => `${pollster} ${unit}`);
  }
}

export const things = (...ids: string[]): Unit[] => ids.map((id) => ({ id, data: null }));
export const numbered = (count: number): Unit[] =>
  things(...Array.from({ length: count }, (_, index) => `u${index}`));

export type Read = Pollster['poll'];

/** A pollster of one gauge, `<name>.level`, which all units have unless `read` says otherwise. */
export function gauge(name: string, read?: Read): Omit<Pollster, 'discovery'> {
  const meter = `${name}.level`;
  return {
    name: `memory.${name}`,
    meters: [{ name: meter, type: 'gauge', unit: 'thing' }],
    poll: read ?? ((unit, context) => [
      readingOf({ meter, resource_id: unit.id, timestamp: context.now() }),
    ]),
  };
}

export function pollsterOf(discovery: string, pollster: Omit<Pollster, 'discovery'>): Pollster {
  return { ...pollster, discovery };
}

export function collectorOf(discoveries: Discovery[], pollsters: Pollster[]): Collector {
  return { name: 'memory', discoveries, pollsters, close: () => Promise.resolve() };
}

export function listing(name: string, units: readonly Unit[]): Discovery {
  return {
    name,
    async *discover() {
      yield await Promise.resolve(units);
    },
  };
}

export function isListed({ pollsters }: PollEnd): boolean {
  return pollsters.every(({ listed }) => listed);
}

export function never<T>(): Promise<T> {
  return new Promise(() => {});
}

export const failure = (code: string) => new NephoError(code, `It answered ${code}`);

export async function poll(collector: Collector, options: PollOptions = {}, head = HEAD) {
  const intake = new Intake();
  const receipt = await pollOnce(head, collector, intake.publish, options);
  assert(intake.end !== null, 'a cycle says that it is at its end');
  return { intake, receipt, end: intake.end };
}
