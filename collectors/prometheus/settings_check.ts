import { isNephoError } from '../../meters/errors.ts';
import type { PollsterMeter } from '../polling/pollster.ts';
import { declaredMeter } from './declared_meter.ts';
import type { EndpointSettings, MappingSettings, PrometheusSettings } from './settings_schema.ts';

interface Issue {
  path: (string | number)[];
  message: string;
}

/** Words that stand for kinds of units in a discovery's parameter. */
const RESERVED: ReadonlySet<string> = new Set(['exporters', 'queries']);

/** What no single setting shows. */
export function checkSettings({ endpoints, mappings }: PrometheusSettings): Issue[] {
  const known = new Set<string>();
  const issues: Issue[] = [];
  endpoints.forEach((endpoint, i) => {
    const at = ['endpoints', i];
    if (known.has(endpoint.name)) issues.push(issue(at, 'name', `the name stands twice`));
    if (RESERVED.has(endpoint.name)) issues.push(issue(at, 'name', 'the name has a meaning'));
    known.add(endpoint.name);
    endpoint.queries?.forEach(({ name }, j) => {
      const unit = `${endpoint.name}/${name}`;
      if (known.has(unit)) issues.push(issue([...at, 'queries', j], 'name', 'it stands twice'));
      known.add(unit);
    });
    issues.push(...checkAccess(endpoint, at));
  });
  const declared = new Map<string, PollsterMeter>();
  mappings.forEach((mapping, i) => issues.push(...checkMapping(mapping, i, { known, declared })));
  return issues;
}

function checkAccess(endpoint: EndpointSettings, at: (string | number)[]): Issue[] {
  const issues: Issue[] = [];
  const has = (key: keyof EndpointSettings): boolean => endpoint[key] !== undefined;
  const hasPassword = has('password_env') || has('password_file');
  const hasToken = has('bearer_token_env') || has('bearer_token_file');
  const both = (left: keyof EndpointSettings, right: keyof EndpointSettings): void => {
    if (has(left) && has(right)) issues.push(issue(at, right, `write either '${left}' or it`));
  };
  both('password_env', 'password_file');
  both('bearer_token_env', 'bearer_token_file');
  if (has('username') && !hasPassword) {
    issues.push(issue(at, 'username', "write 'password_file' or 'password_env' beside it"));
  }
  if (hasPassword && !has('username')) {
    issues.push(issue(at, 'name', "write 'username' beside the password"));
  }
  if (has('username') && hasToken) {
    issues.push(issue(at, 'username', 'write either it or a bearer token'));
  }
  if (endpoint.queries !== undefined && new URL(endpoint.url).search !== '') {
    issues.push(issue(at, 'url', 'write the URL of the server without a query'));
  }
  return issues;
}

function checkMapping(
  mapping: MappingSettings,
  index: number,
  { known, declared }: { known: ReadonlySet<string>; declared: Map<string, PollsterMeter> },
): Issue[] {
  const at = ['mappings', index];
  const issues: Issue[] = [];
  mapping.endpoints?.forEach((name, j) => {
    if (known.has(name)) return;
    issues.push(issue([...at, 'endpoints'], j, `there is no endpoint or query '${name}'`));
  });
  const isOfQueries = mapping.endpoints?.every((name) => name.includes('/')) ?? false;
  if (mapping.series === undefined && !isOfQueries) {
    issues.push(issue(at, 'meter', "write 'series', or name queries in 'endpoints'"));
  }
  const meter = meterOf(mapping);
  // Its own fault is told where it stands.
  if (meter === null) return issues;
  if (meter.name === '*') {
    issues.push(issue(at, 'meter', "begin with what is no label, as 'host.${device}'"));
  }
  const other = declared.get(meter.name);
  if (other !== undefined && (other.type !== meter.type || other.unit !== meter.unit)) {
    issues.push(
      issue(at, 'meter', `'${meter.name}' is ${other.type} in '${other.unit}' in another mapping`),
    );
  }
  declared.set(meter.name, meter);
  return issues;
}

function meterOf(mapping: MappingSettings): PollsterMeter | null {
  try {
    return declaredMeter(mapping);
  } catch (error) {
    if (isNephoError(error)) return null;
    throw error;
  }
}

function issue(at: readonly (string | number)[], key: string | number, message: string): Issue {
  return { path: [...at, key], message };
}
