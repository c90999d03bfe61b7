import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readWindowKeeper } from '../../db/window_keepers.ts';
import { toMicros } from '../../meters/timestamp.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const DAY = '2026-10-05';
const NOW = Date.parse(`${DAY}T12:00:00Z`);

function at(clock: string): string {
  return `${DAY}T${clock.padEnd(8, ':00')}.000000Z`;
}

function gauge(resource: string, clock: string, volume: string): WorldSample {
  return {
    origin: `${resource}@${clock}`,
    meter: 'memory',
    type: 'gauge',
    resource,
    project: 'p-1',
    at: at(clock),
    volume,
  };
}

describe('sealing hours', { skip: windowSkipReason() }, () => {
  let world: WindowWorld;

  before(async () => {
    world = await WindowWorld.start(NOW, { from: at('00:00'), to: '2026-11-01T00:00:00.000000Z' });
  });

  after(async () => {
    await world?.stop();
  });

  test('an hour is sealed with its windows, and one with nothing as well', async () => {
    await world.append([
      gauge('vm-1', '08:10', '2'),
      gauge('vm-1', '08:40', '4'),
      gauge('vm-2', '08:50', '1'),
    ]);
    const keeper = await world.begin();
    assert.deepEqual(keeper, {
      logId: 0,
      sealedFrom: at('08:00'),
      sealedUntil: at('08:00'),
      scannedTo: 0,
    });
    const { scanned_to: size } = await world.revise();
    const receipt = await world.seal({ from: at('08:00'), to: at('11:00'), size });
    assert.deepEqual(receipt, { shard: 0, hours: 3, windows: 4, sealed_until: at('11:00') });
    const { rows } = await world.pool.query(
      'SELECT start, resource_id, count, integral, covered, expired FROM windows JOIN series USING (series_id) ORDER BY 1, 2',
    );
    assert.deepEqual(rows, [
      // 30 minutes of 2 and 20 minutes of 4; 10 minutes of 1.
      {
        start: at('08:00'),
        resource_id: 'vm-1',
        count: 2,
        integral: '8400',
        covered: '3000',
        expired: false,
      },
      {
        start: at('08:00'),
        resource_id: 'vm-2',
        count: 1,
        integral: '600',
        covered: '600',
        expired: false,
      },
      {
        start: at('09:00'),
        resource_id: 'vm-1',
        count: 0,
        integral: '9600',
        covered: '2400',
        expired: true,
      },
      {
        start: at('09:00'),
        resource_id: 'vm-2',
        count: 0,
        integral: '3000',
        covered: '3000',
        expired: true,
      },
    ]);
    assert.equal((await readWindowKeeper(world.pool, 0))?.sealedUntil, at('11:00'));
    assert.ok(toMicros(at('11:00')) > 0n);
  });
});
