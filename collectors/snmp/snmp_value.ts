import { Buffer } from 'node:buffer';
import { NephoError } from '../../meters/errors.ts';
import { parseQuantity, type Quantity } from '../../meters/quantity.ts';
import { OBJECT_TYPES, type Varbind } from './net_snmp.ts';

const WHOLE: ReadonlySet<number> = new Set([
  OBJECT_TYPES.integer,
  OBJECT_TYPES.counter32,
  OBJECT_TYPES.gauge32,
  OBJECT_TYPES.timeTicks,
]);
/** UTF-16 units of a name; what is longer is cut. */
const MAX_TEXT = 200;

/** @throws {NephoError} `value_invalid` for a value that is no number, or less than 0: none here may be */
export function integerOf(varbind: Varbind): bigint {
  const { type, value } = varbind;
  if (type === OBJECT_TYPES.counter64 && Buffer.isBuffer(value) && value.length <= 9) {
    // Nine bytes: the first is 0, lest the number looks negative.
    return value.length === 0 ? 0n : BigInt(`0x${value.toString('hex')}`);
  }
  if (WHOLE.has(type) && typeof value === 'number' && value >= 0) return BigInt(value);
  throw invalid(varbind);
}

/** @throws {NephoError} `value_invalid` */
export function quantityOf(varbind: Varbind): Quantity {
  return { unscaled: integerOf(varbind), scale: 0 };
}

/** A decimal that is written out, as `0.52`. @throws {NephoError} `value_invalid` */
export function decimalOf(varbind: Varbind): Quantity {
  const text = textOf(varbind);
  if (text === null || !/^\d{1,12}(?:\.\d{1,12})?$/.test(text)) throw invalid(varbind);
  return parseQuantity(text);
}

/** Null if it is no text. */
export function textOf(varbind: Varbind | undefined): string | null {
  if (varbind?.type !== OBJECT_TYPES.octets || !Buffer.isBuffer(varbind.value)) return null;
  // Some agents end names as C does.
  return varbind.value.toString('utf8').replace(/\0[^]*$/, '').slice(0, MAX_TEXT).toWellFormed();
}

/** The digits of bytes; null if it is none. */
export function hexOf(varbind: Varbind | undefined): string | null {
  if (varbind?.type !== OBJECT_TYPES.octets || !Buffer.isBuffer(varbind.value)) return null;
  return varbind.value.toString('hex');
}

/** The value of an object that is itself the name of one. */
export function oidOf(varbind: Varbind | undefined): string | null {
  return varbind?.type === OBJECT_TYPES.oid && typeof varbind.value === 'string'
    ? varbind.value
    : null;
}

function invalid({ oid, type }: Varbind): NephoError {
  return new NephoError(
    'value_invalid',
    `Cannot read a number from '${oid}': its type is ${type}`,
    {
      context: { oid, type },
    },
  );
}
