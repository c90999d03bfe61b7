/** Where something stands in a definition file: lines and columns (UTF-16 units) from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** Something wrong in a definition file, and what to do about it. */
export interface Fault extends Place {
  code: FaultCode;
  message: string;
  remedy: string;
}

export type FaultCode =
  | 'file_too_large'
  | 'yaml_invalid'
  | 'metric_missing'
  | 'definition_invalid'
  | 'key_missing'
  | 'key_unknown'
  | 'key_duplicate'
  | 'name_duplicate'
  | 'value_invalid'
  | 'type_invalid'
  | 'pattern_invalid'
  | 'path_invalid'
  | 'plugin_invalid'
  | 'lookup_invalid'
  // Of polling.yaml
  | 'key_ignored'
  | 'meters_mixed'
  | 'cloud_unknown'
  | 'secret_inline'
  | 'setting_invalid'
  | 'too_many'
  // Of dynamic pollsters
  | 'expression_invalid'
  /** What a definition may have only by leave of the settings. */
  | 'not_allowed';

/** Faults, and warnings, that one run tells: a file in which everything is wrong has no end of them. */
const MAX_TOLD = 1_000;

/** Collects what is found, so that one run tells everything. */
export class FaultList {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];

  /** Refuses the file. */
  fault(code: FaultCode, place: Place, message: string, remedy: string): void {
    if (this.faults.length < MAX_TOLD) this.faults.push(made(code, place, message, remedy));
  }

  /** Tells of something that Ceilometer passes over in silence. */
  warn(code: FaultCode, place: Place, message: string, remedy: string): void {
    if (this.warnings.length < MAX_TOLD) this.warnings.push(made(code, place, message, remedy));
  }
}

function made(code: FaultCode, place: Place, message: string, remedy: string): Fault {
  return { file: place.file, line: place.line, column: place.column, code, message, remedy };
}

/** `file:line:column: code: message. remedy.` */
export function formatFault(fault: Fault): string {
  const { file, line, column, code, message, remedy } = fault;
  return `${file}:${line}:${column}: ${code}: ${message}. ${remedy}.`;
}

export function formatPlace({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/**
 * By file and place. What several aliases bring in is told once.
 *
 * @param files names in their order; files that are not among them come first
 */
export function inPlaceOrder(faults: readonly Fault[], files: readonly string[] = []): Fault[] {
  const orderOf = new Map(files.map((name, index) => [name, index]));
  const unique = new Map(faults.map((fault) => [formatFault(fault), fault]));
  return [...unique.values()].sort((a, b) =>
    (orderOf.get(a.file) ?? -1) - (orderOf.get(b.file) ?? -1) || a.line - b.line ||
    a.column - b.column
  );
}
