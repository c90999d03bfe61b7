import { defineDiscovery, definePollster } from 'nepho/pollster';

export const printers = defineDiscovery<{ pages: number }>({
  name: 'printers',
  async *discover() {
    yield [{ id: 'p1', data: { pages: 7 } }];
  },
});

export const pages = definePollster<{ pages: number }>({
  name: 'printers.pages',
  meters: [{ name: 'printer.pages', type: 'cumulative', unit: 'page' }],
  discovery: 'printers',
  poll: ({ id, data }, context) => [{
    meter: 'printer.pages',
    type: 'cumulative',
    unit: 'page',
    volume: String(data.pages),
    resource_id: id,
    project_id: null,
    user_id: null,
    timestamp: context.now(),
    metadata: {},
  }],
});
