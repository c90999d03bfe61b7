/** The IPMI collector by ipmitool over the network, against OpenIPMI's simulated BMC. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { createIpmiCollector } from '../../collectors/ipmi/collector.ts';
import { ipmiSettingsSchema } from '../../collectors/ipmi/settings_schema.ts';
import { freePort } from '../support/free_port.ts';
import { type IpmiSimulator, ipmiSkipReason, startIpmiSimulator } from '../support/ipmi_sim.ts';
import {
  discovered,
  pollUnit,
  recordingPollContext,
  volumesOf,
} from '../support/recording_poll_context.ts';

const skip = ipmiSkipReason();
const PASSWORD = 'open-sesame';
let bmc: IpmiSimulator;
before(async () => {
  if (skip !== false) return;
  bmc = await startIpmiSimulator({
    user: 'nepho',
    password: PASSWORD,
    sensors: [
      { name: 'Front Panel Temp', type: 1, unit: 1, raw: 23, factor: 1, exponent: 0 },
      { name: 'System Fan 1', type: 4, unit: 18, raw: 47, factor: 100, exponent: 0 },
      { name: 'BB +12.0V', type: 2, unit: 4, raw: 91, factor: 13, exponent: -2 },
      { name: 'PS1 Curr Out', type: 3, unit: 5, raw: 5, factor: 1, exponent: -1 },
      { name: 'Pwr Consumption', type: 3, unit: 6, raw: 30, factor: 4, exponent: 0 },
      { name: 'Empty Slot', type: 1, unit: 1, raw: null, factor: 1, exponent: 0 },
    ],
  });
});
after(() => bmc?.stop());

async function poll(
  target: Record<string, unknown> = {},
  password: string = PASSWORD,
  context = recordingPollContext(),
) {
  const collector = createIpmiCollector(
    ipmiSettingsSchema.parse({
      retry_interval: 1,
      retries: 1,
      targets: [{
        host: '127.0.0.1',
        port: bmc.port,
        resource_id: 'node-1',
        user: 'nepho',
        password_env: 'PASSWORD',
        cipher_suite: 3,
        ...target,
      }],
    }),
    { secret: () => Promise.resolve(password), hostname: 'here' },
  );
  const units = await discovered(collector, context);
  const readings = await pollUnit(collector, units.get('node-1'), context);
  return { readings, context, volumes: volumesOf(readings) };
}

test(
  "what is read is what the BMC measures, and what ipmitool's own list shows",
  { skip },
  async () => {
    const { volumes, context, readings } = await poll();
    assert.deepEqual([...volumes], [
      ['hardware.ipmi.temperature node-1-front_panel_temp_(0x1)', '23 C'],
      ['hardware.ipmi.fan node-1-system_fan_1_(0x2)', '4700 RPM'],
      ['hardware.ipmi.voltage node-1-bb_+12.0v_(0x3)', '11.83 V'],
      ['hardware.ipmi.current node-1-ps1_curr_out_(0x4)', '0.5 A'],
      ['hardware.ipmi.power node-1-pwr_consumption_(0x5)', '120 W'],
    ]);
    assert.deepEqual(readings[0]?.metadata, {
      node: 'node-1',
      sensor: 'Front Panel Temp (0x1)',
      entity: '7.1 (System Board)',
      status: 'ok',
    });
    // The simulator has no DCMI.
    assert.deepEqual(context.gaps.map(({ meter }) => meter), ['hardware.ipmi.node.power']);
    const listed = bmc.sdr();
    for (const { metadata, volume } of readings) {
      assert(typeof metadata['sensor'] === 'string');
      const name = metadata['sensor'].replace(/ \(0x.*/, '');
      const [, value = ''] = listed.split('\n').find((line) => line.startsWith(name))?.split('|') ??
        [];
      assert.equal(Number(value.trim().split(' ')[0]), Number(volume), name);
    }
  },
);

test('IPMI 1.5 over the network gives the same', { skip }, async () => {
  assert.deepEqual([...(await poll({ interface: 'lan' })).volumes], [...(await poll()).volumes]);
});

test('a wrong user or password is unauthorised, in both versions', { skip }, async () => {
  for (
    const target of [{}, { user: 'nobody' }, { interface: 'lan' }, {
      interface: 'lan',
      user: 'nobody',
    }]
  ) {
    const password = 'user' in target ? PASSWORD : 'wrong';
    await assert.rejects(poll(target, password), { code: 'unauthorised' }, JSON.stringify(target));
  }
});

test(
  'a dead port is a timeout, a name that nobody has unreachable, an own host without a BMC too',
  { skip },
  async () => {
    await assert.rejects(poll({ port: await freePort() }), { code: 'timeout' });
    await assert.rejects(poll({ host: 'nowhere.invalid' }), { code: 'unreachable' });
    const own = createIpmiCollector(ipmiSettingsSchema.parse({ device: 213 }), {
      secret: () => Promise.reject(new Error('no secret is needed')),
      hostname: 'here',
    });
    const units = await discovered(own, recordingPollContext());
    await assert.rejects(pollUnit(own, units.get('here'), recordingPollContext()), {
      code: 'unreachable',
    });
  },
);

test('the end of the cycle ends ipmitool', { skip }, async () => {
  const controller = new AbortController();
  const context = recordingPollContext({ signal: controller.signal });
  const polling = poll({ port: await freePort() }, PASSWORD, context);
  controller.abort();
  await assert.rejects(polling, { code: 'timeout' });
});
