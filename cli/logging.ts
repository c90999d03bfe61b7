/** Structured logs on standard error: JSON lines for programs, short lines for people. */
import process from 'node:process';
import {
  configure,
  getJsonLinesFormatter,
  getLogger,
  type LogRecord,
  type TextFormatter,
} from '@logtape/logtape';
import type { Settings } from './env.ts';
import { maskSecrets } from './mask_secrets.ts';

const SECRET_NAME = /token|secret|password|signing_?key|authorization/i;

/**
 * Sends what every `getLogger(['nepho', …])` logs to standard error. `service` names the process.
 *
 * A field whose name says that it is secret, and a password in an address, are masked wherever they
 * stand: a slip in one log call must not put a key into a log file.
 */
export async function configureLogging(
  settings: Pick<Settings, 'logLevel' | 'logFormat'>,
  service: string,
): Promise<void> {
  const human = settings.logFormat === 'human' ||
    (settings.logFormat === 'auto' && process.stderr.isTTY);
  const format = human ? formatForPeople : jsonLines(service);
  const write = (record: LogRecord): void => {
    process.stderr.write(format(maskRecord(record)));
  };
  await configure({
    reset: true,
    sinks: { stderr: write },
    loggers: [
      { category: 'nepho', lowestLevel: settings.logLevel, sinks: ['stderr'] },
      { category: ['logtape', 'meta'], lowestLevel: 'error', sinks: ['stderr'] },
    ],
  });
}

/** The logger of one part: `logger('ingest').info('Batch stored', { shard, samples })`. */
export function logger(part: string): ReturnType<typeof getLogger> {
  return getLogger(['nepho', part]);
}

function maskRecord(record: LogRecord): LogRecord {
  const properties = Object.fromEntries(
    Object.entries(record.properties).map(([key, value]) => [key, maskProperty(key, value)]),
  );
  const message = record.message.map((part) => typeof part === 'string' ? maskSecrets(part) : part);
  return { ...record, message, properties };
}

function maskProperty(key: string, value: unknown): unknown {
  if (SECRET_NAME.test(key)) return '…';
  if (value instanceof Error) return maskSecrets(value.message);
  // Sizes of logs and sequence numbers are bigint, which JSON cannot write.
  if (typeof value === 'bigint') return value.toString();
  return typeof value === 'string' ? maskSecrets(value) : value;
}

function jsonLines(service: string): TextFormatter {
  const format = getJsonLinesFormatter({ properties: 'flatten', categorySeparator: '.' });
  return (record) => format({ ...record, properties: { service, ...record.properties } });
}

function formatForPeople(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const fields = Object.entries(record.properties)
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const text = record.message.map((part) => typeof part === 'string' ? part : String(part)).join(
    '',
  );
  const level = record.level === 'info' ? '' : `${record.level.toUpperCase()} `;
  return `${time} ${record.category.slice(1).join('.')} ${level}${text}${fields}\n`;
}
