/** Usage by project, as `nepho start` shows it, read through the API as any client would. */
import type { NephoClient, NephoOutputs } from '../client/client.ts';
import {
  addQuantities,
  divideQuantities,
  formatQuantity,
  parseQuantity,
} from '../meters/quantity.ts';
import { formatTable } from './table.ts';

type Statistic = NephoOutputs['statistics']['query']['statistics'][number];

export interface ProjectUsage {
  project: string;
  samples: number;
  instances: number;
  volumes: number;
  addresses: number;
  /** Bytes as exact decimals. */
  traffic: string;
  objects: string;
  images: string;
}

export async function usageByProject(nepho: NephoClient): Promise<ProjectUsage[]> {
  const by = async (meter: string | null, ...groups: ('project_id' | 'resource_id')[]) => {
    const filter = meter === null ? {} : { meter };
    const { statistics } = await nepho.statistics.query.query({ ...filter, group_by: groups });
    return statistics;
  };
  const [all, instances, volumes, addresses, traffic, incoming, outgoing, images] = await Promise
    .all([
      by(null, 'project_id'),
      by('instance', 'project_id', 'resource_id'),
      by('volume', 'project_id', 'resource_id'),
      by('ip.floating', 'project_id', 'resource_id'),
      by('bandwidth', 'project_id'),
      by('storage.objects.incoming.bytes', 'project_id'),
      by('storage.objects.outgoing.bytes', 'project_id'),
      by('image.download', 'project_id'),
    ]);
  const projects = [...new Set(all.map(projectOf))].filter((project) => project !== null);
  const rowsOf = (rows: readonly Statistic[], project: string) =>
    rows.filter((row) => projectOf(row) === project);
  return projects.map((project) => ({
    project,
    samples: rowsOf(all, project).reduce((sum, { count }) => sum + count, 0),
    instances: rowsOf(instances, project).length,
    volumes: rowsOf(volumes, project).length,
    addresses: rowsOf(addresses, project).length,
    traffic: sumOf(rowsOf(traffic, project)),
    objects: sumOf(rowsOf([...incoming, ...outgoing], project)),
    images: sumOf(rowsOf(images, project)),
  })).toSorted((left, right) => right.samples - left.samples);
}

/** @param names of projects by id, for those that have one */
export function formatUsage(
  usage: readonly ProjectUsage[],
  names: ReadonlyMap<string, string>,
): string {
  return formatTable<ProjectUsage>([
    { title: 'project', value: ({ project }) => names.get(project) ?? project },
    { title: 'samples', value: ({ samples }) => samples, align: 'right' },
    { title: 'instances', value: ({ instances }) => instances, align: 'right' },
    { title: 'volumes', value: ({ volumes }) => volumes, align: 'right' },
    { title: 'addresses', value: ({ addresses }) => addresses, align: 'right' },
    { title: 'traffic GiB', value: ({ traffic }) => inGib(traffic), align: 'right' },
    { title: 'objects GiB', value: ({ objects }) => inGib(objects), align: 'right' },
    { title: 'images GiB', value: ({ images }) => inGib(images), align: 'right' },
  ], usage);
}

const GIB = parseQuantity(String(1024 ** 3));

function inGib(bytes: string): string {
  return formatQuantity(divideQuantities(parseQuantity(bytes), GIB, 2));
}

function sumOf(rows: readonly Statistic[]): string {
  return formatQuantity(
    rows.map(({ sum }) => parseQuantity(sum)).reduce(addQuantities, parseQuantity('0')),
  );
}

function projectOf(row: Statistic): string | null {
  return row.group.project_id ?? null;
}
