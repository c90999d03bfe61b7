import { readDocument } from '../../meters/definition_document.ts';
import type { DefinitionNode } from '../../meters/definition_document.ts';
import { type Fault, FaultList, formatFault, formatPlace } from '../../meters/definition_fault.ts';
import { commandWords } from './command_words.ts';
import { compilePollster } from './definition_pollster.ts';
import type { Allowance } from './definition_request.ts';
import type { RestDefinition } from './rest_definition.ts';
import type { RestSettings } from './settings_schema.ts';

/** A pollster file as read. */
export interface RestFile {
  /** Shown in faults. */
  name: string;
  text: string;
  /** True if only its owner can read it, so that it may hold secrets. */
  isPrivate: boolean;
}

export type CompiledRest =
  | { ok: true; definitions: readonly RestDefinition[]; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

/** Pollsters of all files together. */
const MAX_DEFINITIONS = 10_000;

/**
 * Compiles pollster files, all faults at once: the set is sound as a whole or not used at all. Among
 * definitions of one name the first wins, as in Ceilometer.
 *
 * @param settings the namespaces to take, and what definitions may do
 */
export function compileRestDefinitions(
  files: readonly RestFile[],
  settings: Pick<RestSettings, 'namespaces' | 'host_commands' | 'authentications'>,
): CompiledRest {
  const faults = new FaultList();
  const definitions: RestDefinition[] = [];
  const commands = settings.host_commands.map(commandWords);
  const authentications = new Set(Object.keys(settings.authentications));
  for (const { name, text, isPrivate } of files) {
    const document = readDocument(name, text, faults);
    if (document === null) continue;
    const allowance: Allowance = { commands, authentications, isPrivate };
    for (const node of pollstersOf(document, faults)) {
      const definition = compilePollster(node, faults, allowance);
      if (definition !== null) definitions.push(definition);
    }
  }
  const kept = chosen(definitions, settings.namespaces, faults);
  const warnings = inOrder(faults.warnings, files);
  if (faults.faults.length > 0) {
    return { ok: false, faults: inOrder(faults.faults, files), warnings };
  }
  return { ok: true, definitions: kept, warnings };
}

function pollstersOf(document: DefinitionNode, faults: FaultList): readonly DefinitionNode[] {
  // An empty file is how a pollster is switched off.
  if (document.kind === 'null') return [];
  if (document.kind === 'list' && document.items.length <= MAX_DEFINITIONS) return document.items;
  faults.fault(
    'definition_invalid',
    document.place,
    'The file is no list of pollsters',
    `Write a list: - name: …, at most ${MAX_DEFINITIONS}`,
  );
  return [];
}

/** Those of the namespaces that are wanted, one of each name. */
function chosen(
  definitions: readonly RestDefinition[],
  namespaces: readonly string[],
  faults: FaultList,
): RestDefinition[] {
  const first = new Map<string, RestDefinition>();
  for (const definition of definitions) {
    const { name, place } = definition;
    const known = first.get(name);
    if (!definition.namespaces.some((each) => namespaces.includes(each))) {
      faults.warn(
        'not_allowed',
        place,
        `The pollster '${name}' is for the namespaces ${definition.namespaces.join(', ')}`,
        "Add one of them to 'namespaces' of the settings to use it here",
      );
    } else if (known === undefined) first.set(name, definition);
    else {
      faults.warn(
        'name_duplicate',
        place,
        `'${name}' is also defined at ${formatPlace(known.place)}, which goes before this`,
        'Remove one of the two',
      );
    }
  }
  return [...first.values()];
}

function inOrder(faults: readonly Fault[], files: readonly RestFile[]): Fault[] {
  const orderOf = new Map(files.map(({ name }, index) => [name, index]));
  const unique = new Map(faults.map((fault) => [formatFault(fault), fault]));
  return [...unique.values()].sort((a, b) =>
    (orderOf.get(a.file) ?? 0) - (orderOf.get(b.file) ?? 0) || a.line - b.line ||
    a.column - b.column
  );
}
