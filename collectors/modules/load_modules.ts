import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Fault } from '../../meters/definition_fault.ts';
import { errorMessage } from '../../meters/errors.ts';
import type { Collector, PollsterDeps } from '../polling/pollster.ts';
import { checkedDiscovery, checkedPollster } from './checked_readings.ts';
import { ExportSorter, fieldsOf, type ModuleParts } from './module_shapes.ts';

export type LoadedModules =
  | { ok: true; collectors: Collector[] }
  | { ok: false; faults: Fault[] };

export interface ModuleOptions {
  /** Folder that relative paths are beside, and from which packages are looked for. */
  base: string;
  deps: PollsterDeps;
  /** Names that others have already. */
  taken?: { pollsters: ReadonlySet<string>; discoveries: ReadonlySet<string> };
}

/** How long a module may take to load, and its function to give its parts. */
const LOAD_MS = 30_000;
const MAX_MODULES = 256;

interface LoadedModule {
  readonly specifier: string;
  readonly parts: ModuleParts;
}

/**
 * Loads the deployer's own pollsters and discoveries: all modules, or all faults.
 *
 * Every export is taken, or a default export alone if there is one: a pollster, a discovery, a
 * collector, a list of such, or a function that gives them. A module stays loaded: a changed one counts
 * when the worker starts anew.
 *
 * @param specifiers paths, relative ones beginning with a dot, or names of packages
 */
export async function loadModules(
  specifiers: readonly string[],
  options: ModuleOptions,
): Promise<LoadedModules> {
  const faults: Fault[] = [];
  const loaded: LoadedModule[] = [];
  if (specifiers.length > MAX_MODULES) {
    const remedy = `Write at most ${MAX_MODULES}`;
    return { ok: false, faults: [fault('modules', 'There are too many modules', remedy)] };
  }
  for (const specifier of new Set(specifiers)) {
    const parts = await loadOne(specifier, options, faults);
    if (parts !== null) loaded.push({ specifier, parts });
  }
  checkNames(loaded, options.taken, faults);
  if (faults.length > 0) {
    await Promise.allSettled(loaded.flatMap(({ parts }) => parts.closers.map((close) => close())));
    return { ok: false, faults };
  }
  return { ok: true, collectors: loaded.map(collectorOf) };
}

async function loadOne(
  specifier: string,
  { base, deps }: ModuleOptions,
  faults: Fault[],
): Promise<ModuleParts | null> {
  const parts: ModuleParts = { pollsters: [], discoveries: [], closers: [] };
  const before = faults.length;
  const onFault = (message: string, remedy: string) => {
    faults.push(fault(specifier, message, remedy));
  };
  const sorter = new ExportSorter(parts, onFault);
  let exported: readonly Exported[] = [];
  try {
    exported = exportsOf(await inTime(import(resolved(specifier, base))));
  } catch (error) {
    onFault(`The module cannot be loaded: ${errorMessage(error)}`, 'Correct it');
  }
  for (const { label, value } of exported) {
    try {
      if (typeof value !== 'function') sorter.sort(value, label);
      else sorter.sort(await inTime(Promise.resolve(value(deps))), `What ${label} gives`);
    } catch (error) {
      onFault(`${label} is a function that fails: ${errorMessage(error)}`, 'Correct it');
    }
  }
  if (faults.length > before) {
    await Promise.allSettled(parts.closers.map((close) => close()));
    return null;
  }
  if (parts.pollsters.length + parts.discoveries.length > 0) return parts;
  faults.push(fault(specifier, 'The module exports nothing', 'Export a pollster or a discovery'));
  return null;
}

interface Exported {
  readonly label: string;
  readonly value: unknown;
}

/** A default export goes before all others; that of CommonJS is an object of all. */
function exportsOf(module: Readonly<Record<string, unknown>>): Exported[] {
  const labelled = (exports: object) =>
    Object.entries(exports).map(([name, value]) => ({ label: `Export '${name}'`, value }));
  if (!('default' in module)) return labelled(module);
  const value = module['default'];
  const fields = fieldsOf(value);
  const isOne = fields === null || ['poll', 'discover', 'pollsters'].some((key) => key in fields);
  return isOne ? [{ label: 'The default export', value }] : labelled(fields);
}

/** Where a module is. A package is looked for beside the configuration, then beside nepho. */
function resolved(specifier: string, base: string): string {
  if (specifier.startsWith('file:')) return specifier;
  const file = path.resolve(base, specifier);
  if (specifier.startsWith('.') || path.isAbsolute(specifier)) {
    if (existsSync(file)) return pathToFileURL(file).href;
    throw new Error(`there is no file '${file}'`);
  }
  for (const from of [path.join(base, 'package.json'), import.meta.url]) {
    try {
      return pathToFileURL(createRequire(from).resolve(specifier)).href;
    } catch {
      // It may be in the other place, or be a package for import alone.
    }
  }
  if (existsSync(file)) throw new Error(`a path begins with './', write './${specifier}'`);
  return specifier;
}

async function inTime<Value>(work: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it is not done after ${LOAD_MS / 1_000} s`)),
      LOAD_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** No two of a kind may have one name: it stands in the identity of samples. */
function checkNames(
  modules: readonly LoadedModule[],
  taken: ModuleOptions['taken'],
  faults: Fault[],
): void {
  for (const kind of ['pollsters', 'discoveries'] as const) {
    const owners = new Map([...taken?.[kind] ?? []].map((name) => [name, 'nepho']));
    for (const { specifier, parts } of modules) {
      for (const { name } of parts[kind]) {
        const owner = owners.get(name);
        if (owner === undefined) owners.set(name, `'${specifier}'`);
        else {
          const one = kind === 'pollsters' ? 'pollster' : 'discovery';
          const message = `The ${one} '${name}' has the name of one of ${owner}`;
          faults.push({ ...fault(specifier, message, 'Rename one'), code: 'name_duplicate' });
        }
      }
    }
    if (kind === 'discoveries' && taken !== undefined) checkDiscoveries(modules, owners, faults);
  }
}

/** Where all names are known, a pollster whose discovery is nobody's can be told at once. */
function checkDiscoveries(
  modules: readonly LoadedModule[],
  known: ReadonlyMap<string, string>,
  faults: Fault[],
): void {
  for (const { specifier, parts } of modules) {
    for (const { name, discovery } of parts.pollsters) {
      const [wanted = ''] = discovery.split(':', 1);
      if (known.has(wanted)) continue;
      const message = `The pollster '${name}' wants the discovery '${wanted}', which nobody has`;
      faults.push(fault(specifier, message, 'Correct its name, or define it'));
    }
  }
}

function collectorOf({ specifier, parts }: LoadedModule): Collector {
  return {
    name: `module ${specifier}`,
    pollsters: parts.pollsters.map(checkedPollster),
    discoveries: parts.discoveries.map(checkedDiscovery),
    async close() {
      await Promise.allSettled(parts.closers.map((close) => close()));
    },
  };
}

function fault(file: string, message: string, remedy: string): Fault {
  return { file, line: 1, column: 1, code: 'definition_invalid', message, remedy };
}
