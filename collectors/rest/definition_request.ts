import type { Place } from '../../meters/definition_fault.ts';
import { errorMessage } from '../../meters/errors.ts';
import { compileExpression } from '../../meters/expression.ts';
import { isJsonObject, type JsonObject } from '../../meters/json.ts';
import { commandWords, isAllowedCommand } from './command_words.ts';
import { readAuthentication } from './definition_authentication.ts';
import { type DefinitionKeys, nodeValue } from './definition_node.ts';
import type { RestRequest, Template } from './rest_definition.ts';

/** What a definition may have by leave of the settings, and of its file's mode. */
export interface Allowance {
  readonly commands: readonly (readonly string[])[];
  readonly authentications: ReadonlySet<string>;
  /** True if only the owner can read the file, so that it may hold a secret. */
  readonly isPrivate: boolean;
}

/** The names that templates of extra metadata may use. */
export const TEMPLATE_NAMES = ['sample', 'extra_metadata_captured', 'extra_metadata_by_name'];

/** What nobody writes in a path or command that is meant as it stands. */
const LOOKS_COMPUTED =
  /^\s*(?:[rRbBuUfF]{0,2}['"]|\()|\bsample\[|\bextra_metadata_(?:captured|by_name)\b/;
const ABSOLUTE = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//;
const COMPUTED_ORIGIN = /^\s*['"](https?:\/\/[^'"/\\]+\/)/;
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const SECRET_HEADER =
  /^(?:authorization|proxy-authorization|cookie)$|token|secret|password|api-?key/;
const DEFAULT_TIMEOUT_S = 30;
const MAX_TIMEOUT_S = 3_600;

/**
 * What a definition asks, and where.
 *
 * @param nested whether its templates see a sample
 * @returns null after a fault
 */
export function readRequest(
  keys: DefinitionKeys,
  allowance: Allowance,
  { nested }: { nested: boolean },
): RestRequest | null {
  const names = nested ? { known: TEMPLATE_NAMES, constants: null } : constantsOf(keys);
  const timeoutMs = keys.seconds('timeout', DEFAULT_TIMEOUT_S, {
    least: 0.001,
    most: MAX_TIMEOUT_S,
  });
  const command = keys.text('host_command');
  if (command !== undefined) {
    refuse(keys, ['endpoint_type', 'url_path', 'module', 'authentication'], 'host_command');
    const template = readTemplate(keys, command, names);
    if (template === null || !checkCommand(keys, template, command.place, allowance)) return null;
    return { kind: 'command', command: template, timeoutMs };
  }
  const headers = readHeaders(keys, allowance);
  const path = keys.text('url_path');
  const serviceType = keys.text('endpoint_type');
  const authentication = readAuthentication(keys, allowance);
  if (path === undefined) keys.missing('url_path', 'Add url_path:');
  const template = path === undefined ? null : readTemplate(keys, path, names);
  if (path === undefined || template === null || authentication === null) return null;
  const foreign = authentication !== undefined;
  if (foreign) {
    refuse(keys, ['endpoint_type'], 'module or authentication');
    const origin = originOf(keys, template, path.place);
    if (origin === null) return null;
    return { kind: 'url', url: template, origin, headers, authentication, timeoutMs };
  }
  if (template.expression === null && ABSOLUTE.test(template.text)) {
    keys.fault(
      'not_allowed',
      path.place,
      "'url_path' is a URL of its own, to which the cloud's token must not go",
      "Write the path behind the endpoint; or, for another API, 'authentication: none' or the name of one of the settings, without endpoint_type",
    );
    return null;
  }
  if (serviceType === undefined) {
    keys.missing('endpoint_type', 'Add endpoint_type:, as the catalogue names the service');
    return null;
  }
  return { kind: 'service', serviceType: serviceType.text, path: template, headers, timeoutMs };
}

function refuse(keys: DefinitionKeys, others: readonly string[], beside: string): void {
  for (const key of others) {
    const node = keys.get(key);
    if (node === undefined) continue;
    keys.fault('key_unknown', node.place, `'${key}' stands beside ${beside}`, 'Remove one of them');
  }
}

interface TemplateNames {
  readonly known: readonly string[];
  /** Their values where they are known already. */
  readonly constants: JsonObject | null;
}

function constantsOf(keys: DefinitionKeys): TemplateNames {
  const node = keys.get('base_metadata');
  const value = node === undefined ? {} : nodeValue(node);
  if (isJsonObject(value)) return { known: Object.keys(value), constants: value };
  if (node !== undefined) keys.wrong('base_metadata', node, 'is no mapping', 'Write name: value');
  return { known: [], constants: {} };
}

/**
 * Ceilometer evaluates each path, and takes it as it stands if that fails. Here what is meant to be
 * computed must be sound.
 */
function readTemplate(
  keys: DefinitionKeys,
  found: { text: string; place: Place; placeAt(offset: number): Place },
  { known, constants }: TemplateNames,
): Template | null {
  const { text } = found;
  if (!LOOKS_COMPUTED.test(text) && !known.some((name) => text.includes(name))) {
    return { text, expression: null };
  }
  // A command may begin with a quoted program, and a path may hold a name.
  const mustBe = known.length > 0 && LOOKS_COMPUTED.test(text);
  let expression;
  try {
    expression = compileExpression(text, known);
  } catch (error) {
    if (!mustBe) return { text, expression: null };
    return keys.compile(found, () => {
      throw error;
    });
  }
  if (constants === null) return { text, expression };
  try {
    const value = expression.evaluate(constants);
    return { text: typeof value === 'string' ? value : text, expression: null };
  } catch (error) {
    const remedy = 'Correct the expression, or base_metadata';
    keys.fault('expression_invalid', found.place, errorMessage(error), remedy);
    return null;
  }
}

function checkCommand(
  keys: DefinitionKeys,
  template: Template,
  place: Place,
  { commands }: Allowance,
): boolean {
  const remedy =
    "Write it in 'host_commands' of the settings of collectors: rest:, exactly as it stands here; '{}' there stands for one word of the data";
  if (template.expression !== null) {
    if (commands.length > 0) return true;
    keys.fault('not_allowed', place, "'host_command' runs no command that is allowed", remedy);
    return false;
  }
  try {
    if (isAllowedCommand(commandWords(template.text), commands)) return true;
    keys.fault('not_allowed', place, "'host_command' runs a command that is not allowed", remedy);
  } catch (error) {
    keys.fault('value_invalid', place, errorMessage(error), 'Write a program and its arguments');
  }
  return false;
}

/** The origin of a URL. That of one that is computed must stand in its first text, whole. */
function originOf(
  keys: DefinitionKeys,
  { text, expression }: Template,
  place: Place,
): string | null {
  const start = expression === null ? text : COMPUTED_ORIGIN.exec(text)?.[1] ?? '';
  const url = URL.canParse(start) ? new URL(start) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const remedy = expression === null
      ? 'Write http:// or https:// and so on'
      : "Begin with the scheme, host and first slash in one text, as 'https://host/' + …";
    keys.fault('value_invalid', place, "'url_path' is no URL", remedy);
    return null;
  }
  if (url.username === '' && url.password === '') return url.origin;
  keys.fault(
    'not_allowed',
    place,
    "'url_path' holds a user or password",
    "Name an authentication of the settings: 'authentication: name'",
  );
  return null;
}

function readHeaders(keys: DefinitionKeys, allowance: Allowance): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { key, value, place } of keys.texts('headers')) {
    const name = key.toLowerCase();
    if (!HEADER.test(key) || !HEADER_VALUE.test(value) || value.length > 8_192) {
      keys.fault('value_invalid', place, `'${key}' is no header`, 'Write name: value');
    } else if (name === 'x-auth-token' || name === 'host' || name === 'content-length') {
      keys.fault('not_allowed', place, `The header '${key}' is set by nepho`, 'Remove it');
    } else if (SECRET_HEADER.test(name) && !allowance.isPrivate) {
      keys.fault(
        'not_allowed',
        place,
        `The header '${key}' holds a secret in a file that others can read`,
        'Name an authentication of the settings, or let only the owner read the file (chmod 600)',
      );
    } else headers[name] = value;
  }
  return headers;
}
