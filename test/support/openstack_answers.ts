/** A cloud that answers what a test has laid down, and a cycle that notes what it is told. */
import { readFileSync } from 'node:fs';
import type {
  ListingCall,
  OpenStackSession,
  ServicePath,
} from '../../collectors/openstack/session_interface.ts';
import type { Discovery, PollContext, Pollster, Unit } from '../../collectors/polling/pollster.ts';
import { NephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import type { Reading } from '../../meters/sample.ts';

export const OWN_PROJECT = '0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a';
export const READ_AT = '2026-05-01T12:00:00.000000Z';

/** `<service type> <path and query>` to the answer, or the reason why there is none. */
export type LaidDown = Readonly<Record<string, JsonValue | NephoError>>;

export interface AskedFor {
  what: string;
  headers: Readonly<Record<string, string>>;
}

/** The answers of a file of `test/fixtures/openstack/`, by their names. */
export function recordedAnswers(name: string): JsonObject {
  const file = new URL(`../fixtures/openstack/${name}.json`, import.meta.url);
  const value = parseExactJson(readFileSync(file, 'utf8'));
  if (!isJsonObject(value)) throw new TypeError(`${name}.json holds no object`);
  return value;
}

/**
 * @param endpoints by service type; `http://cloud` for those not named
 * @returns the session, and what it was asked for, in order
 */
export function laidDownSession(
  answers: LaidDown,
  endpoints: Readonly<Record<string, string>> = {},
): { session: OpenStackSession; asked: AskedFor[] } {
  const asked: AskedFor[] = [];
  const answer = (
    type: string,
    path: ServicePath,
    headers: Readonly<Record<string, string>> = {},
  ): JsonObject => {
    const endpoint = endpoints[type] ?? 'http://cloud';
    const url = new URL(typeof path === 'string' ? endpoint + path : path(endpoint));
    const what = `${type} ${url.pathname}${url.search}`;
    asked.push({ what, headers });
    const found = answers[what];
    if (found === undefined) throw new NephoError('resource_gone', `Nothing at '${what}'`);
    if (found instanceof NephoError) throw found;
    return isJsonObject(found) ? found : { list: found };
  };
  const session: OpenStackSession = {
    cloud: 'laid_down',
    get: async (type, path, call) => answer(type, path, call.headers),
    async head(type, path, call) {
      const headers = Object.entries(answer(type, path, call.headers));
      return Object.fromEntries(headers.map(([name, value]) => [
        name,
        typeof value === 'string' ? value : '',
      ]));
    },
    async *pages(type, path, call: ListingCall) {
      const entries = answer(type, path, call.headers)[call.entriesKey ?? 'list'];
      if (!Array.isArray(entries)) throw new NephoError('parse_error', 'No list');
      const page = entries.filter(isJsonObject);
      if (page.length > 0) yield page;
    },
    async *projects() {
      const { projects } = answer('identity', '/v3/projects');
      if (Array.isArray(projects)) yield projects.filter(isJsonObject);
    },
    endpoint: async (type) => endpoints[type] ?? 'http://cloud',
    projectId: async () => OWN_PROJECT,
  };
  return { session, asked };
}

export interface Noted {
  context: PollContext;
  missing: { unit: string; meter: string; reason: string; detail: string }[];
  remarks: { code: string; unit: string | null }[];
  /** What {@link PollContext.now} says. */
  clock: { now: string };
}

export function notedCycle(wants: (meter: string) => boolean = () => true): Noted {
  const missing: Noted['missing'] = [];
  const remarks: Noted['remarks'] = [];
  const clock = { now: READ_AT };
  const context: PollContext = {
    cycle: '2026-05-01T12:00:00.000000Z',
    signal: new AbortController().signal,
    now: () => clock.now,
    wants,
    missing: (unit, meter, reason, detail) => missing.push({ unit, meter, reason, detail }),
    remark: (code, unit) => remarks.push({ code, unit }),
  };
  return { context, missing, remarks, clock };
}

/** All units of a discovery, `name` or `name:parameter`. */
export async function unitsOf(
  discoveries: readonly Discovery[],
  name: string,
  context: PollContext,
): Promise<Unit[]> {
  const [base = '', parameter = ''] = name.split(':', 2);
  const discovery = discoveries.find((each) => each.name === base);
  if (discovery === undefined) throw new TypeError(`no discovery ${base}`);
  const units: Unit[] = [];
  for await (const page of discovery.discover(context, parameter)) units.push(...page);
  return units;
}

/** All readings of the pollster of this name, of the units of its own discovery. */
export async function readingsOf(
  family: { discoveries: readonly Discovery[]; pollsters: readonly Pollster[] },
  name: string,
  context: PollContext,
): Promise<Reading[]> {
  const pollster = family.pollsters.find((each) => each.name === name);
  if (pollster === undefined) throw new TypeError(`no pollster ${name}`);
  const readings: Reading[] = [];
  for (const unit of await unitsOf(family.discoveries, pollster.discovery, context)) {
    readings.push(...await pollster.poll(unit, context));
  }
  return readings;
}

/** Meter, type, volume and unit of each reading, in one line. */
export function inShort(readings: readonly Reading[]): string[] {
  return readings.map(({ meter, type, volume, unit }) => `${meter} ${type} ${volume} ${unit}`);
}
