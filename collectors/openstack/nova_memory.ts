import { isJsonObject, type JsonObject } from '../../meters/json.ts';
import {
  divideQuantities,
  formatQuantity,
  multiplyQuantities,
  parseQuantity,
} from '../../meters/quantity.ts';
import { readNumber } from './json_number.ts';
import { flavorOf } from './nova_server.ts';

const KIB_IN_MIB = parseQuantity('1024');
/** 1/1024 is exact with ten decimals. */
const MIB_SCALE = 10;

/**
 * The memory in use, in MiB; null if it cannot be told.
 *
 * Nova's reference says MiB, its fake driver gives KiB, and its libvirt driver divides KiB by 2^20 and
 * cuts, which leaves whole GiB (nova/virt/libvirt/driver.py, get_instance_diagnostics). What the
 * numbers are is seen by the maximum, which is the flavor's memory. Whole GiB are not worth a sample.
 */
export function memoryUsed(diagnostics: JsonObject, server: JsonObject): string | null {
  const details = diagnostics['memory_details'];
  if (!isJsonObject(details)) return null;
  const used = readNumber(details['used']);
  const maximum = readNumber(details['maximum']);
  const ram = readNumber(flavorOf(server)['ram']);
  if (used === null || maximum === null || ram === null) return null;
  if (maximum.volume === ram.volume) return used.volume;
  const inKib = formatQuantity(multiplyQuantities(parseQuantity(ram.volume), KIB_IN_MIB));
  if (maximum.volume !== inKib) return null;
  return formatQuantity(divideQuantities(parseQuantity(used.volume), KIB_IN_MIB, MIB_SCALE));
}
