/**
 * What is polled of a real cloud against the same cloud's own answers, which the test gets and reads by
 * itself. The cloud may change meanwhile: what differs between an answer before and one after the poll
 * is left out.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import test, { after } from 'node:test';
import { createOpenStackCollector } from '../../collectors/openstack/collector.ts';
import { isNephoError } from '../../meters/errors.ts';
import type { Reading } from '../../meters/sample.ts';
import {
  findLittleCloud,
  type LittleCloud,
  type Raw,
  type RawAnswer,
} from '../support/little_cloud.ts';
import {
  compare,
  type Comparison,
  COMPARISONS,
  countersIn,
  countersOf,
  rawList,
  rawObject,
  rawText,
} from '../support/openstack_expectations.ts';
import { notedCycle, readingsOf, unitsOf } from '../support/openstack_answers.ts';

const found = await findLittleCloud();
const skip = typeof found === 'string' ? found : false;

if (typeof found !== 'string') {
  const family = createOpenStackCollector(found.settings, {
    cloud: 'little',
    secret: () => Promise.resolve(found.password),
    readText: () => Promise.reject(new TypeError('no file is named')),
    nowMs: () => Date.now(),
  });
  after(() => family.close());
  for (const comparison of COMPARISONS) {
    test(`${comparison.pollster}: each sample is what the API says`, async (t) => {
      if (!found.has(comparison.serviceType)) {
        return t.skip(`this cloud has no '${comparison.serviceType}'`);
      }
      const before = await entries(found, comparison);
      const { context, missing } = notedCycle();
      const readings = await readingsOf(family, comparison.pollster, context);
      const after = await entries(found, comparison);
      const steady = before.filter((item) => after.some((each) => isDeepStrictEqual(item, each)));
      if (steady.length === 0) {
        return t.skip(`this cloud has no '${comparison.entriesKey}': make some`);
      }
      for (const expected of steady.flatMap(comparison.expected)) {
        compare(readings, missing, expected);
      }
      const called = [...before, ...after].flatMap(comparison.expected);
      const known = new Set(called.map(([meter, resource]) => `${meter} ${rawText(resource)}`));
      const name = ({ meter, resource_id }: Reading) => `${meter} ${resource_id}`;
      assert.deepEqual(readings.map(name).filter((each) => !known.has(each)), []);
    });
  }

  test('nova.diagnostics: counters are those that Nova tells of a server that runs', async (t) => {
    const headers = { 'openstack-api-version': 'compute 2.48' };
    const { context, missing } = notedCycle();
    const pollster = family.pollsters.find(({ name }) => name === 'nova.diagnostics');
    assert.ok(pollster !== undefined);
    let compared = 0;
    for (const unit of await unitsOf(family.discoveries, 'servers', context)) {
      const path = `/servers/${unit.id}/diagnostics`;
      const before = await found.ask('compute', path, { headers });
      if (before.status !== 200) continue;
      const readings: readonly Reading[] = await pollster.poll(unit, context);
      const after = await found.ask('compute', path, { headers });
      const diagnostics = rawObject(before.body);
      if (readings.length === 0 || !isDeepStrictEqual(diagnostics, after.body)) continue;
      assert.deepEqual(countersIn(readings), countersOf(unit.id, diagnostics));
      compared += 1;
    }
    assert.deepEqual(missing, []);
    if (compared === 0) return t.skip('this cloud has no server that runs: make one');
  });

  test('heat.stack: each stack that Heat shows is a sample', async (t) => {
    if (!found.has('orchestration')) return t.skip('this cloud has no Heat');
    const global = await found.ask('orchestration', '/stacks?global_tenant=true');
    const listing = global.status === 200 ? global : await found.ask('orchestration', '/stacks');
    const stacks = rawList(rawObject(listing.body)['stacks']);
    const { context } = notedCycle();
    const name = global.status === 200 ? 'stacks' : 'stacks:project';
    const readings: Reading[] = [];
    for (const unit of await unitsOf(family.discoveries, name, context)) {
      const pollster = family.pollsters.find((each) => each.name === 'heat.stack');
      readings.push(...await pollster?.poll(unit, context) ?? []);
    }
    if (stacks.length === 0) return t.skip('this cloud has no stacks: make some');
    for (const { id, project } of stacks) {
      compare(readings, [], ['stack', id, 1, project ?? found.projectId]);
    }
    if (global.status === 403) {
      await assert.rejects(
        unitsOf(family.discoveries, 'stacks', context),
        (error) => isNephoError(error) && error.code === 'forbidden',
      );
    }
  });

  test('swift.account, swift.container: each account is as Swift counts it', async (t) => {
    if (!found.has('object-store')) return t.skip('this cloud has no Swift');
    const { context, missing } = notedCycle();
    const projects = await unitsOf(family.discoveries, 'tenant', context);
    assert.ok(projects.length >= 2);
    let readable = 0;
    for (const { id } of projects) {
      const at = (endpoint: string) => `${endpoint.slice(0, endpoint.lastIndexOf('/'))}/AUTH_${id}`;
      const raw: RawAnswer = await found.ask('object-store', (url) => `${at(url)}?format=json`);
      const poll = async () => {
        const readings: Reading[] = [];
        for (const pollster of family.pollsters.filter(({ name }) => name.startsWith('swift.'))) {
          readings.push(...await pollster.poll({ id, data: null }, context));
        }
        return readings;
      };
      if (raw.status === 403) {
        await assert.rejects(poll, (error) => isNephoError(error) && error.code === 'forbidden');
        continue;
      }
      readable += 1;
      const readings = await poll();
      const header = (name: string) => raw.headers.get(`x-account-${name}`);
      compare(readings, [], ['storage.objects', id, header('object-count'), id]);
      compare(readings, [], ['storage.objects.size', id, header('bytes-used'), id]);
      compare(readings, [], ['storage.objects.containers', id, header('container-count'), id]);
      const containers: Raw[] = raw.body === null ? [] : rawList(raw.body);
      for (const { name, count, bytes } of containers) {
        const resource = `${id}/${rawText(name)}`;
        compare(readings, [], ['storage.containers.objects', resource, count, id]);
        compare(readings, [], ['storage.containers.objects.size', resource, bytes, id]);
      }
      assert.equal(readings.length, 3 + containers.length * 2);
    }
    assert.deepEqual(missing, []);
    assert.ok(readable > 0);
  });

  test('endpoint:<type>, tenant: what the catalogue and Keystone list', async () => {
    const { context } = notedCycle();
    const [endpoint] = await unitsOf(family.discoveries, 'endpoint:image', context);
    assert.equal(endpoint?.id, found.endpoint('image'));
    const { body } = await found.ask(
      'identity',
      (url) => `${url.replace(/\/v3$/, '')}/v3/projects`,
    );
    const projects = rawList(rawObject(body)['projects']).map(({ id }) => id);
    const units = await unitsOf(family.discoveries, 'tenant', context);
    assert.deepEqual(new Set(units.map(({ id }) => id)), new Set(projects));
  });

  test('an extension that the cloud does not have is absent, not a failure', async (t) => {
    const { status } = await found.ask('network', '/v2.0/vpn/vpnservices');
    if (status !== 404) return t.skip('this cloud has VPN as a service');
    await assert.rejects(
      unitsOf(family.discoveries, 'vpn_services', notedCycle().context),
      (error) => isNephoError(error) && error.code === 'service_absent',
    );
  });
} else {
  test('each sample is what the API says', { skip }, () => {});
}

async function entries(cloud: LittleCloud, comparison: Comparison): Promise<Raw[]> {
  const { serviceType, path, headers = {}, entriesKey, steady = (item) => item } = comparison;
  const { status, body } = await cloud.ask(serviceType, path, { headers });
  assert.equal(status, 200, `${serviceType} ${path}`);
  return rawList(rawObject(body)[entriesKey]).map(steady);
}
