import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { buffer } from 'node:stream/consumers';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { originOf, sampleId } from '../ledger/identity.ts';
import { compileDefinitions, type DefinitionSet } from '../meters/definition_compile.ts';
import { formatFault } from '../meters/definition_fault.ts';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { decodeNotification } from '../meters/notification.ts';
import type { Reading } from '../meters/sample.ts';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from './definition_files.ts';
import type { CommandOutput } from './definitions_check.ts';
import { splitMessages } from './message_split.ts';

export interface TryRequest {
  /** Files or directories, earlier before later; none means those that are part of nepho. */
  definitionFiles: readonly string[];
  /** A file of one notification, a list of them, or one a line; `-` is the standard input. */
  notificationsFile: string;
  /** The name of the cloud, part of a sample's id; `openstack` unless given. */
  source?: string;
}

/**
 * Prints the samples that notifications would give, one JSON a line, without any server. `recorded_at`
 * is null: nothing is recorded. What would be quarantined or give nothing is said on the error output.
 *
 * @returns the exit status: 0, or 1 if the definitions have faults or a notification would be quarantined
 * @throws {NephoError} `definitions_unreadable`, `notifications_unreadable`, `input_empty`,
 * `input_unreadable`
 */
export async function runDefinitionsTry(request: TryRequest, out: CommandOutput): Promise<number> {
  const paths = request.definitionFiles.length > 0
    ? request.definitionFiles
    : [SHIPPED_DEFINITIONS];
  const compiled = compileDefinitions(await loadDefinitionDirectory(paths));
  if (!compiled.ok) {
    for (const fault of compiled.faults) out.writeError(`${formatFault(fault)}\n`);
    return 1;
  }
  const { messages } = splitMessages(await readInput(request.notificationsFile));
  const source = request.source ?? 'openstack';
  const kept = messages.map((bytes, i) =>
    tryOne(compiled.set, { bytes, number: i + 1, source }, out)
  );
  return kept.every(Boolean) ? 0 : 1;
}

/** False if the notification would be quarantined. */
function tryOne(
  set: DefinitionSet,
  message: { bytes: Uint8Array; number: number; source: string },
  out: CommandOutput,
): boolean {
  const label = `notification ${message.number}`;
  try {
    const notification = decodeNotification(message.bytes);
    const { matched, readings, withoutVolume } = set.extract(notification);
    const origin = originOf(notification);
    const counts = new Map<string, number>();
    for (const reading of readings) {
      const key = JSON.stringify([reading.meter, reading.resource_id]);
      const index = counts.get(key) ?? 0;
      counts.set(key, index + 1);
      const { meter, resource_id } = reading;
      const id = sampleId({ source: message.source, origin, meter, resource_id, index });
      out.write(`${sampleLine(reading, id, message.source)}\n`);
    }
    const type = notification.eventType;
    if (!matched) out.writeError(`${label} (${type}): no definition is for it\n`);
    for (const meter of withoutVolume) {
      out.writeError(`${label} (${type}): no volume for ${meter}\n`);
    }
    return true;
  } catch (error) {
    if (!isNephoError(error)) throw error;
    const place = error.context['place'];
    const at = typeof place === 'string' && place !== '' ? ` at ${place}` : '';
    out.writeError(`${label} would be quarantined: ${error.code}${at}: ${error.message}\n`);
    return false;
  }
}

function sampleLine(reading: Reading, id: string, source: string): string {
  const { metadata, timestamp, ...rest } = reading;
  const sample = JSON.stringify({ id, ...rest, source, timestamp, recorded_at: null });
  // Canonical form, since metadata may hold numbers that JavaScript's own stringify cannot write.
  return `${sample.slice(0, -1)},"metadata":${canonicalJson(metadata)}}`;
}

async function readInput(file: string): Promise<Uint8Array> {
  try {
    return file === '-' ? await buffer(process.stdin) : await readFile(file);
  } catch (cause) {
    throw new NephoError(
      'notifications_unreadable',
      `Cannot read the notifications in '${file}': ${errorMessage(cause)}`,
      { context: { file }, cause },
    );
  }
}
