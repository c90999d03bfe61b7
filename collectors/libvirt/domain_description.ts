import { NephoError } from '../../meters/errors.ts';
import { childOf, childrenOf, parseXml, type XmlElement } from '../xml/xml_document.ts';

/** What `virsh dumpxml` says of a domain, as far as its meters need it. */
export interface DomainDescription {
  uuid: string;
  name: string;
  /** `hvm`, `exe`. */
  osType: string | null;
  architecture: string | null;
  vcpus: number | null;
  /** KiB. */
  memoryKib: number | null;
  /** Null of a domain that Nova did not make. */
  nova: NovaInstance | null;
  /** Target names of disks that have a source: an empty drive has no counters. */
  disks: readonly string[];
  nics: readonly DomainNic[];
}

/** Nova's element of the domain's metadata. */
export interface NovaInstance {
  displayName: string;
  projectId: string;
  userId: string;
  /** Null of an instance that was started from a volume. */
  imageId: string | null;
  flavor: NovaFlavor;
}

export interface NovaFlavor {
  /** The name where Nova is older than 2024 and does not write the id. */
  id: string;
  name: string;
  vcpus: number;
  /** MiB. */
  ram: number;
  /** GiB of the root disk. */
  disk: number;
  /** GiB. */
  ephemeral: number;
  /** MiB. */
  swap: number;
}

export interface DomainNic {
  /** The device on the host, as `tap256efb14-ad`. */
  name: string;
  mac: string;
  filter: string | null;
  /** Those of the filter by lower-case names, with `interfaceid` and `bridge`. */
  parameters: Readonly<Record<string, string | null>>;
}

const NOVA_NAMESPACES: ReadonlySet<string> = new Set([
  'http://openstack.org/xmlns/libvirt/nova/1.0',
  'http://openstack.org/xmlns/libvirt/nova/1.1',
]);
const KIB_OF_UNIT: Readonly<Record<string, number>> = { KiB: 1, MiB: 1_024, GiB: 1_048_576 };

/** @throws {NephoError} `parse_error`, `too_large` */
export function parseDomainDescription(xml: string): DomainDescription {
  const domain = parseXml(xml);
  const os = childOf(childOf(domain, 'os'), 'type');
  const devices = childOf(domain, 'devices');
  const memory = childOf(domain, 'memory');
  const memoryUnit = KIB_OF_UNIT[memory?.attributes.get('unit') ?? 'KiB'];
  const memorySize = countOf(memory);
  return {
    uuid: textOf(domain, 'uuid'),
    name: textOf(domain, 'name'),
    osType: os?.text.trim() ?? null,
    architecture: os?.attributes.get('arch') ?? null,
    vcpus: countOf(childOf(domain, 'vcpu')),
    memoryKib: memorySize === null || memoryUnit === undefined ? null : memorySize * memoryUnit,
    nova: readNova(childOf(domain, 'metadata')),
    disks: childrenOf(devices, 'disk')
      .filter((disk) => childOf(disk, 'source') !== undefined)
      .map((disk) => childOf(disk, 'target')?.attributes.get('dev') ?? '')
      .filter((name) => name !== ''),
    nics: childrenOf(devices, 'interface').map(readNic).filter((nic) => nic !== null),
  };
}

/** Null of an interface without a device on the host, which has no counters there. */
function readNic(element: XmlElement): DomainNic | null {
  const name = childOf(element, 'target')?.attributes.get('dev');
  const mac = childOf(element, 'mac')?.attributes.get('address');
  if (name === undefined || mac === undefined) return null;
  const filter = childOf(element, 'filterref');
  const virtualPort = childOf(childOf(element, 'virtualport'), 'parameters');
  const parameters = childrenOf(filter, 'parameter').map((parameter): [string, string | null] => [
    parameter.attributes.get('name')?.toLowerCase() ?? '',
    parameter.attributes.get('value') ?? null,
  ]);
  return {
    name,
    mac,
    filter: filter?.attributes.get('filter') ?? null,
    parameters: Object.fromEntries([
      ...parameters.filter(([key]) => key !== ''),
      ['interfaceid', virtualPort?.attributes.get('interfaceid') ?? null],
      ['bridge', childOf(element, 'source')?.attributes.get('bridge') ?? null],
    ]),
  };
}

function readNova(metadata: XmlElement | undefined): NovaInstance | null {
  const instance = metadata?.children.find((child) =>
    child.name === 'instance' && NOVA_NAMESPACES.has(child.namespace ?? '')
  );
  if (instance === undefined) return null;
  const owner = childOf(instance, 'owner');
  const root = childOf(instance, 'root');
  return {
    displayName: childOf(instance, 'name')?.text.trim() ?? '',
    projectId: attributeOf(childOf(owner, 'project'), 'owner/project', 'uuid'),
    userId: attributeOf(childOf(owner, 'user'), 'owner/user', 'uuid'),
    imageId: root?.attributes.get('type') === 'image' ? root.attributes.get('uuid') ?? null : null,
    flavor: readFlavor(childOf(instance, 'flavor')),
  };
}

function readFlavor(flavor: XmlElement | undefined): NovaFlavor {
  const name = attributeOf(flavor, 'flavor', 'name');
  const size = (of: string) => countOf(childOf(flavor, of)) ?? 0;
  return {
    id: flavor?.attributes.get('id') ?? name,
    name,
    vcpus: size('vcpus'),
    ram: size('memory'),
    disk: size('disk'),
    ephemeral: size('ephemeral'),
    swap: size('swap'),
  };
}

/** A whole number that stands in an element; null if there is none. */
function countOf(element: XmlElement | undefined): number | null {
  const text = element?.text.trim() ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function textOf(element: XmlElement, name: string): string {
  const text = childOf(element, name)?.text.trim() ?? '';
  if (text !== '') return text;
  throw new NephoError('parse_error', `Cannot describe a domain: its XML has no <${name}>`);
}

function attributeOf(element: XmlElement | undefined, path: string, name: string): string {
  const value = element?.attributes.get(name) ?? '';
  if (value !== '') return value;
  throw new NephoError(
    'parse_error',
    `Cannot read Nova's metadata of a domain: <${path}> has no '${name}'`,
  );
}
