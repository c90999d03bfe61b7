import { isNephoError } from '../../meters/errors.ts';
import type { Discovery, PollContext, Pollster, Unit } from '../polling/pollster.ts';
import { itemPollster, pick } from './item_pollster.ts';
import type { Listed } from './listed.ts';
import { listingDiscovery, markerPaging } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';

const FIELDS = [
  'stack_name',
  'stack_status',
  'stack_owner',
  'description',
  'creation_time',
  'updated_time',
  'tags',
];

/**
 * `stacks`: those of all projects, for who may `stacks:global_index`. Who may not gets those of the
 * token's own project, and the refusal is told after them; `stacks:project` asks for no more than these.
 */
export function heatDiscoveries(session: OpenStackSession): Discovery[] {
  const everywhere = stacks(session, '/stacks?global_tenant=true');
  const here = stacks(session, '/stacks');
  const discovery: Discovery<Listed> = {
    name: 'stacks',
    async *discover(context, parameter) {
      if (parameter === 'project') {
        yield* ofOwnProject(session, here, context);
        return;
      }
      try {
        yield* everywhere.discover(context, '');
      } catch (error) {
        if (isNephoError(error) && error.code === 'forbidden') {
          yield* ofOwnProject(session, here, context);
        }
        throw error;
      }
    },
  };
  return [discovery];
}

/** Ceilometer had but notifications of Heat: this meter is ours. */
export function heatPollsters(_session: OpenStackSession): Pollster[] {
  return [itemPollster({
    name: 'heat.stack',
    discovery: 'stacks',
    meters: [{ name: 'stack', type: 'gauge', unit: 'stack', value: () => 1 }],
    projectId: (item) => item['project'],
    metadata: (item) => pick(item, FIELDS),
  })];
}

function stacks(session: OpenStackSession, path: string): Discovery<Listed> {
  return listingDiscovery(session, {
    name: 'stacks',
    serviceType: 'orchestration',
    path,
    entriesKey: 'stacks',
    paging: markerPaging('links'),
  });
}

/** Heat names the project of a stack to administrators alone. */
async function* ofOwnProject(
  session: OpenStackSession,
  listing: Discovery<Listed>,
  context: PollContext,
): AsyncIterable<readonly Unit<Listed>[]> {
  const project = await session.projectId({ signal: context.signal });
  for await (const page of listing.discover(context, '')) {
    yield page.map(({ id, data }) => ({
      id,
      data: { item: { project, ...data.item }, readAt: data.readAt },
    }));
  }
}
