import { definePollster, pollFailure, type PollsterDeps } from 'nepho/pollster';

interface Sensor {
  id: string;
  room: string;
  tenant: string;
  celsius: number | string;
  door_opened: number;
}

/** The sensors of a machine room, by the gateway that they report to. */
export function roomClimate({ http }: PollsterDeps) {
  return definePollster<Sensor>({
    name: 'room.climate',
    meters: [
      { name: 'room.temperature', type: 'gauge', unit: '°C' },
      { name: 'room.door.opened', type: 'cumulative', unit: 'opening' },
    ],

    // One request brings all sensors; what is yielded before a failure is polled.
    async *discover({ signal }, parameter) {
      const url = `${parameter || 'http://sensors.example.net'}/sensors`;
      const answer = await http.request({ url }, { signal });
      const sensors: Sensor[] = JSON.parse(new TextDecoder().decode(answer.body));
      yield sensors.map((sensor) => ({ id: sensor.id, data: sensor }));
    },

    poll({ data }, context) {
      if (data.celsius === 'broken') {
        throw pollFailure('value_invalid', `Cannot read sensor '${data.id}': it says it is broken`);
      }
      const about = {
        resource_id: data.id,
        project_id: data.tenant,
        user_id: null,
        timestamp: context.now(),
        metadata: { room: data.room },
      };
      return [
        {
          ...about,
          meter: 'room.temperature',
          type: 'gauge',
          unit: '°C',
          volume: String(data.celsius),
        },
        {
          ...about,
          meter: 'room.door.opened',
          type: 'cumulative',
          unit: 'opening',
          volume: String(data.door_opened),
        },
      ];
    },
  });
}
