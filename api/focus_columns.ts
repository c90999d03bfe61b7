import { localTimeOf, startOfDate } from '../meters/zone.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import type { WireUsageRow } from './usage_rows.ts';

/**
 * The columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification) that usage fills without prices:
 * those of money, accounts and invoices are for whoever puts a price on it. Names and values are the
 * specification's.
 *
 * https://focus.finops.org/focus-specification/v1-2/
 */
export const FOCUS_COLUMNS = [
  'BillingPeriodStart',
  'BillingPeriodEnd',
  'ChargePeriodStart',
  'ChargePeriodEnd',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ProviderName',
  'PublisherName',
  'ResourceId',
  'ServiceCategory',
  'ServiceName',
  'SkuMeter',
  'SubAccountId',
  'SubAccountType',
] as const;
export type FocusColumn = (typeof FOCUS_COLUMNS)[number];

/** Columns that are written as they are, not as text that a program may take for a formula. */
export const FOCUS_NUMBERS: ReadonlySet<FocusColumn> = new Set(['ConsumedQuantity']);

/** By the beginnings of meters, the first that fits: category of FOCUS, and the service. */
const SERVICES: readonly [RegExp, category: string, service: string][] = [
  [/^(?:instance|vcpus|memory|cpu|disk|perf|compute)\b/, 'Compute', 'Compute'],
  [/^(?:volume|snapshot|backup)\b/, 'Storage', 'Block Storage'],
  [/^image\b/, 'Storage', 'Image'],
  [/^(?:storage|radosgw|ceph)\b/, 'Storage', 'Object Storage'],
  [/^manila\b/, 'Storage', 'Shared File Systems'],
  [
    /^(?:network|subnet|port|router|ip\.floating|bandwidth|switch|security_group)\b/,
    'Networking',
    'Network',
  ],
  [/^(?:dns|designate)\b/, 'Networking', 'DNS'],
  [/^identity\b/, 'Identity', 'Identity'],
  [/^(?:database|trove)\b/, 'Databases', 'Database'],
];

/** Units of time and data as FOCUS writes them; data units in bytes and bits are the same already. */
const UNITS: Readonly<Record<string, string>> = {
  s: 'Second',
  sec: 'Second',
  ms: 'Millisecond',
  us: 'Microsecond',
  µs: 'Microsecond',
  ns: 'Nanosecond',
  h: 'Hour',
  '%': 'Percent',
};
const DATA_UNIT = /^(?:[KMGTPE]i?)?[bB]$/;

/** A row of usage by resource, told in FOCUS's words. */
export function focusRow(
  row: WireUsageRow,
  { zone, provider }: { zone: string; provider: string },
): Record<FocusColumn, string> {
  const period = monthAround(row.start, zone);
  const [, category = 'Other', service = 'Other'] =
    SERVICES.find(([pattern]) => pattern.test(row.meter)) ?? [];
  return {
    BillingPeriodStart: focusTime(period.start),
    BillingPeriodEnd: focusTime(period.end),
    ChargePeriodStart: focusTime(row.start),
    ChargePeriodEnd: focusTime(row.end),
    ChargeCategory: 'Usage',
    ChargeClass: '',
    ChargeDescription: `${row.meter} (${row.type}, ${row.unit})`,
    ChargeFrequency: 'Usage-Based',
    ConsumedQuantity: row.quantity,
    ConsumedUnit: focusUnit(row),
    ProviderName: provider,
    PublisherName: provider,
    ResourceId: row.group['resource_id'] ?? '',
    ServiceCategory: category,
    ServiceName: service,
    SkuMeter: row.meter,
    SubAccountId: row.group['project_id'] ?? '',
    SubAccountType: row.group['project_id'] === null ? '' : 'Project',
  };
}

/** `GiB-Hours` of a gauge in GiB, `Requests` of others in `request`. */
export function focusUnit({ type, unit }: Pick<WireUsageRow, 'type' | 'unit'>): string {
  const isData = DATA_UNIT.test(unit);
  const single = UNITS[unit] ?? (isData ? unit : `${unit.charAt(0).toUpperCase()}${unit.slice(1)}`);
  if (type === 'gauge') return `${single}-Hours`;
  return isData || single === 'Percent' || single.endsWith('s') ? single : `${single}s`;
}

/** The calendar month in which a time lies, by the clock of a zone. */
function monthAround(time: string, zone: string): { start: string; end: string } {
  const { year, month } = localTimeOf(zone, toMicros(time));
  return {
    start: formatMicros(startOfDate(zone, year, month, 1)),
    end: formatMicros(startOfDate(zone, year, month + 1, 1)),
  };
}

/** As FOCUS writes times, with a fraction only where there is one. */
function focusTime(time: string): string {
  return time.replace(/\.0+Z$/, 'Z');
}
