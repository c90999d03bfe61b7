import { NephoError } from '../../meters/errors.ts';
import { isJsonObject } from '../../meters/json.ts';
import type { Discovery, Pollster } from '../polling/pollster.ts';
import { entryOf, type ItemMeter, projectOf, readMeters } from './item_pollster.ts';
import { type Listed, listed } from './listed.ts';
import { offeredListing, versioned } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';

const RESULTS = 'evaluation_results';
const EVALUATION = { name: 'aodh.evaluation', discovery: 'alarm' };
const METER = {
  name: 'alarm.evaluation_result',
  type: 'gauge',
  unit: 'evaluation_result_count',
} as const;

/**
 * The alarms of all projects that were evaluated, with how often to which state (Aodh 20, 2025). An
 * Aodh that does not count evaluations names none.
 */
export function aodhDiscoveries(session: OpenStackSession): Discovery[] {
  const plan = { name: EVALUATION.discovery, serviceType: 'alarm', entriesKey: RESULTS };
  const path = versioned('v2', '/metrics?all_projects=true');
  return [offeredListing(plan, async function* (context) {
    const answer = await session.get(plan.serviceType, path, { signal: context.signal });
    const results = answer[RESULTS] ?? [];
    if (!Array.isArray(results) || !results.every((each) => isJsonObject(each))) {
      throw new NephoError('parse_error', `Cannot read the metrics of alarms: '${RESULTS}'`);
    }
    if (results.length > 0) yield listed(results, context, 'alarm_id');
  })];
}

/** A reading for each state of an alarm, told apart by `alarm_state` in the metadata. */
export function aodhPollsters(_session: OpenStackSession): Pollster[] {
  const pollster: Pollster<Listed> = {
    ...EVALUATION,
    meters: [METER],
    poll(unit, context) {
      const { item, readAt } = entryOf(unit, EVALUATION);
      const counters = item['state_counters'];
      if (!isJsonObject(counters)) {
        throw new NephoError(
          'parse_error',
          `Cannot read the evaluations of alarm '${unit.id}': 'state_counters' is missing`,
        );
      }
      return Object.keys(counters).flatMap((state) => {
        const meter: ItemMeter = { ...METER, value: () => counters[state] };
        const subject = {
          unitId: unit.id,
          resourceId: unit.id,
          projectId: projectOf(item),
          userId: null,
          metadata: { alarm_state: state },
          readAt,
        };
        return readMeters([meter], counters, subject, context);
      });
    },
  };
  return [pollster];
}
