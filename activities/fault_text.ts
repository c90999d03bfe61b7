/** UTF-16 units: a fault is part of receipts, whose size is bounded. */
const MAX_FAULT_LENGTH = 500;

export function cutFault(text: string): string {
  return text.length <= MAX_FAULT_LENGTH ? text : `${text.slice(0, MAX_FAULT_LENGTH)}…`;
}
