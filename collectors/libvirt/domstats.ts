import { NephoError } from '../../meters/errors.ts';
import type { Quantity } from '../../meters/quantity.ts';

/** A domain as `virsh list --all --uuid --id --name` names it. */
export interface ListedDomain {
  uuid: string;
  /** Another one after each start; null of a domain that does not run. */
  id: string | null;
  name: string;
}

/** Domains of one host. */
export const MAX_DOMAINS = 20_000;
/** Devices of one kind of one domain. */
const MAX_DEVICES = 4_096;
const LISTED = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) +(\d+|-) +(.+)$/;
const HEAD = /^Domain: '(.*)'$/;
const FIELD = /^\s+([\w.-]+)=(.*)$/;

/** @throws {NephoError} `parse_error`, `too_large` */
export function parseDomainList(text: string): ListedDomain[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > MAX_DOMAINS) throw tooMany();
  return lines.map((line) => {
    const [, uuid, id, name] = LISTED.exec(line) ?? [];
    if (uuid === undefined || id === undefined || name === undefined) {
      throw new NephoError('parse_error', `Cannot read a domain from '${line.slice(0, 80)}'`);
    }
    return { uuid, id: id === '-' ? null : id, name };
  });
}

/**
 * The statistics of all domains by their names.
 *
 * @throws {NephoError} `parse_error`, `too_large`
 */
export function parseDomstats(text: string): Map<string, DomainStats> {
  const domains = new Map<string, DomainStats>();
  let fields: Map<string, string> | null = null;
  for (const line of text.split('\n')) {
    const name = HEAD.exec(line)?.[1];
    if (name !== undefined) {
      fields = new Map();
      domains.set(name, new DomainStats(fields));
      if (domains.size > MAX_DOMAINS) throw tooMany();
      continue;
    }
    if (line.trim() === '') continue;
    const [, key, value] = FIELD.exec(line) ?? [];
    if (key === undefined || value === undefined || fields === null) {
      throw new NephoError('parse_error', `Cannot read a statistic from '${line.slice(0, 80)}'`);
    }
    fields.set(key, value);
  }
  return domains;
}

/** What libvirt counted of one domain, by the names of virsh's manual (`domstats`). */
export class DomainStats {
  readonly #fields: ReadonlyMap<string, string>;

  constructor(fields: ReadonlyMap<string, string>) {
    this.#fields = fields;
  }

  has(key: string): boolean {
    return this.#fields.has(key);
  }

  /** @throws {NephoError} `service_absent` if libvirt does not say, `value_invalid` if it is no integer */
  integer(key: string): bigint {
    const text = this.#fields.get(key);
    if (text === undefined) {
      throw new NephoError('service_absent', `Cannot read '${key}': libvirt does not offer it`);
    }
    if (!/^-?\d{1,20}$/.test(text)) {
      throw new NephoError('value_invalid', `Cannot read '${key}': '${text.slice(0, 40)}'`);
    }
    return BigInt(text);
  }

  /** @throws {NephoError} as {@link integer} */
  quantity(key: string): Quantity {
    return { unscaled: this.integer(key), scale: 0 };
  }

  /**
   * The places of the devices of a group by their names: `vda` → `block.0`. A device of which libvirt counts
   * nothing, as a network interface in user mode, leaves a hole.
   */
  devices(group: 'block' | 'net'): Map<string, string> {
    const places = new Map<string, string>();
    const count = this.has(`${group}.count`) ? this.integer(`${group}.count`) : 0n;
    for (let index = 0; index < count && index < MAX_DEVICES; index += 1) {
      const name = this.#fields.get(`${group}.${index}.name`);
      if (name !== undefined) places.set(name, `${group}.${index}`);
    }
    return places;
  }
}

function tooMany(): NephoError {
  return new NephoError('too_large', `Cannot read more than ${MAX_DOMAINS} domains of one host`);
}
