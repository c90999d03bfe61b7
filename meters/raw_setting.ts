import type { DefinitionNode } from './definition_document.ts';
import type { Fault, Place } from './definition_fault.ts';
import type { JsonValue } from './json.ts';
import { nearestWord } from './nearest_word.ts';

/** A part of polling.yaml that another schema reads, with the places of all that stands in it. */
export interface RawSetting {
  /** Where it stands in the file, as `collectors.libvirt`. */
  readonly path: string;
  readonly keyPlace: Place;
  readonly value: JsonValue;
  readonly node: DefinitionNode;
}

/** A fault of the schema; zod's issues are such. */
export interface SettingIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  /** Of `unrecognized_keys`. */
  readonly keys?: readonly string[] | undefined;
  /** What to do instead, where the schema knows. */
  readonly remedy?: string | undefined;
}

/** The faults with the places of what they are about. `knownKeys` says what a mapping may hold. */
export function faultsOfIssues(
  setting: RawSetting,
  issues: readonly SettingIssue[],
  knownKeys: (path: readonly PropertyKey[]) => readonly string[] = () => [],
): Fault[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return (issue.keys ?? []).map((key) => unknownKey(setting, [...issue.path, key], knownKeys));
    }
    const { node, isThere } = nodeAt(setting.node, issue.path);
    const name = nameOf(setting, issue.path);
    const sentence = issue.message.replace(/^Invalid (?:input|option): /, '').replace(/\.$/, '');
    // What a schema of ours says is often what to do.
    const remedy = issue.remedy ?? (ORDER.test(sentence) ? sentenceCase(sentence) : undefined);
    if (!isThere) {
      const key = String(issue.path.at(-1) ?? '');
      const message = `'${name}' is missing`;
      return fault('key_missing', node.place, { message, remedy: remedy ?? `Add ${key}:` });
    }
    const isSaid = remedy !== undefined && issue.remedy === undefined;
    return fault('setting_invalid', node.place, {
      message: `'${name}' cannot be used${isSaid ? '' : `: ${sentence}`}`,
      remedy: remedy ?? 'Correct the value',
    });
  });
}

/** How a sentence begins that says what to write. */
const ORDER = /^(?:write|begin|name|give|remove|use|add) /i;

function sentenceCase(sentence: string): string {
  return `${sentence.slice(0, 1).toUpperCase()}${sentence.slice(1)}`;
}

/** The fault of a setting whose name nobody knows, as that of a collector that there is not. */
export function unknownSetting(setting: RawSetting, known: readonly string[]): Fault {
  const name = setting.path.slice(setting.path.indexOf('.') + 1);
  const message = `The key '${setting.path}' has no meaning here`;
  return fault('key_unknown', setting.keyPlace, { message, remedy: keyRemedy(name, known) });
}

function unknownKey(
  setting: RawSetting,
  path: readonly PropertyKey[],
  knownKeys: (path: readonly PropertyKey[]) => readonly string[],
): Fault {
  const parent = nodeAt(setting.node, path.slice(0, -1)).node;
  const key = String(path.at(-1));
  const known = knownKeys(path.slice(0, -1));
  const place = parent.kind === 'map' ? parent.entries.get(key)?.keyPlace : undefined;
  return fault('key_unknown', place ?? parent.place, {
    message: `The key '${nameOf(setting, path)}' has no meaning here`,
    remedy: keyRemedy(key, known),
  });
}

/** What to write instead of a key that is not known. */
export function keyRemedy(key: string, known: readonly string[]): string {
  const nearest = nearestWord(key, known);
  if (nearest !== null) return `Write ${nearest}:`;
  return known.length === 0 ? 'Remove it' : `Use one of ${known.join(', ')}`;
}

/** The node that a path leads to; the last one on the way if it leads nowhere. */
function nodeAt(
  root: DefinitionNode,
  path: readonly PropertyKey[],
): { node: DefinitionNode; isThere: boolean } {
  let node = root;
  for (const step of path) {
    const next = node.kind === 'map'
      ? node.entries.get(String(step))?.value
      : node.kind === 'list'
      ? node.items[Number(step)]
      : undefined;
    if (next === undefined) return { node, isThere: false };
    node = next;
  }
  return { node, isThere: true };
}

function nameOf(setting: RawSetting, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (name, step) => typeof step === 'number' ? `${name}[${step}]` : `${name}.${String(step)}`,
    setting.path,
  );
}

function fault(
  code: Fault['code'],
  { file, line, column }: Place,
  { message, remedy }: { message: string; remedy: string },
): Fault {
  return { file, line, column, code, message, remedy };
}
