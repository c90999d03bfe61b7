/** The rules of the house that no other tool keeps: names, sizes, directions, words, links. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { PROJECT_DIR } from '../../cli/env.ts';
import { importsOf, type SourceFile, sourceFiles } from '../support/source_files.ts';

const MAX_LINES = 500;
const files = sourceFiles('.ts', '.mjs');
const sources = files.filter(({ folder }) => !['test', 'bench', 'scripts'].includes(folder));

/** The folders whose values each folder may import, beside its own: docs/architecture.md. */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  meters: [],
  ledger: ['meters'],
  bus: ['meters'],
  collectors: ['meters', 'bus'],
  db: ['meters', 'ledger'],
  activities: ['meters', 'ledger', 'bus', 'collectors', 'db'],
  workflows: ['meters', 'temporal.config.ts'],
  api: ['meters', 'ledger', 'db', 'workflows', 'temporal.config.ts'],
  client: ['meters', 'ledger'],
  cli: [
    'meters',
    'ledger',
    'bus',
    'collectors',
    'db',
    'activities',
    'workflows',
    'api',
    'client',
    'definitions',
    'temporal.config.ts',
  ],
};

/** Types cross more borders than values, but the pure folders know of none above them. */
const TYPE_DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  meters: [],
  ledger: ['meters'],
  bus: ['meters'],
  collectors: ['meters', 'bus'],
};

/** Fails with every offence at once. */
function none(offences: readonly string[]): void {
  assert.deepEqual(offences, []);
}

/** Lines of code in which `pattern` stands, comments aside. */
function linesWith(file: SourceFile, pattern: RegExp): string[] {
  return file.lines.flatMap((line, index) =>
    pattern.test(line) && !/^\s*(?:\*|\/\/|\/\*)/.test(line)
      ? [`${file.name}:${index + 1}: ${line.trim()}`]
      : []
  );
}

test('every file is named in snake_case, after its subject', () => {
  const vague = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'misc']);
  none(
    files.map(({ name }) => name).filter((name) => {
      const [base = '', kind] = path.basename(name).split('.');
      if (kind === 'config') return false;
      return !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(base) ||
        base.split('_').some((word) => vague.has(word));
    }),
  );
});

test(`no file is longer than ${MAX_LINES} lines`, () => {
  none(
    files.filter(({ lines }) => lines.length > MAX_LINES + 1)
      .map(({ name, lines }) => `${name}: ${lines.length - 1} lines`),
  );
});

test('imports go one way through the folders', () => {
  const offences = sources.flatMap((source) =>
    importsOf(source).flatMap(({ file, isType, specifier }) => {
      const allowed = (isType ? TYPE_DIRECTIONS : DIRECTIONS)[source.folder];
      if (file === null || allowed === undefined) return [];
      const target = file.includes('/') ? file.slice(0, file.indexOf('/')) : file;
      return target === source.folder || allowed.includes(target)
        ? []
        : [`${source.name} imports ${specifier}`];
    })
  );
  none(offences);
});

test('relative imports name an existing file with its ending', () => {
  none(files.flatMap((file) =>
    importsOf(file)
      .filter((each) => each.file !== null && !existsSync(path.join(PROJECT_DIR, each.file)))
      .map(({ specifier }) => `${file.name} imports ${specifier}`)
  ));
});

test('built-in modules are imported by their node: names', () => {
  none(
    files.flatMap((file) =>
      importsOf(file).filter(({ specifier }) =>
        isBuiltin(specifier) && !specifier.startsWith('node:')
      )
        .map(({ specifier }) => `${file.name} imports ${specifier}`)
    ),
  );
});

test('meters is pure: no package but zod and yaml where data is read, no clock, chance or network', () => {
  const pure = sources.filter(({ folder }) => folder === 'meters');
  const packages = pure.flatMap((file) =>
    importsOf(file).filter(({ specifier }) => !specifier.startsWith('.'))
      .filter(({ specifier }) =>
        !(['zod', 'yaml'].includes(specifier) && /_schema|\/definition_/.test(file.name))
      )
      .map(({ specifier }) => `${file.name} imports ${specifier}`)
  );
  const effects =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.|\bfetch\(|\bprocess\./;
  none([...packages, ...pure.flatMap((file) => linesWith(file, effects))]);
});

test('workflows reach nothing that differs between two runs', () => {
  const workflows = sources.filter(({ folder }) => folder === 'workflows');
  const packages = workflows.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier, isType }) => !specifier.startsWith('.') && !isType)
      .filter(({ specifier }) => specifier !== '@temporalio/workflow')
      .map(({ specifier }) => `${file.name} imports ${specifier}`)
  );
  const unsteady = /\bTemporal\.|\bIntl\.|\bfetch\(|\bcrypto\.|\bperformance\./;
  none([...packages, ...workflows.flatMap((file) => linesWith(file, unsteady))]);
});

test('only cli/env.ts reads the environment', () => {
  const readers = files.filter(({ folder, name }) => folder !== 'test' && name !== 'cli/env.ts');
  none(readers.flatMap((file) => linesWith(file, /\bprocess\.env\b|\bDeno\.env\b/)));
});

test('only erasable TypeScript, named exports, and no file that only passes others on', () => {
  const entries = /(?:^|\/)mod\.ts$|^client\/verify\.ts$/;
  const barrels = sources.filter(({ name, text }) => {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      .replace(/^(?:import|export)[^;]*from\s*'[^']+';/gm, '');
    return !entries.test(name) && /^export[^;]*from/m.test(text) && code.trim() === '';
  });
  const offences = files.filter(({ name }) => name.endsWith('.ts')).flatMap((file) => [
    ...linesWith(file, /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w+/),
    ...linesWith(file, /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w+/),
    ...linesWith(file, /^export \*/),
    ...(file.name.endsWith('.config.ts') ? [] : linesWith(file, /^export default\b/)),
  ]);
  none([...offences, ...barrels.map(({ name }) => `${name} only passes others on`)]);
});

test('every file is reached from a command, a script, a test or a benchmark', () => {
  const reached = new Set(
    files.flatMap((file) =>
      importsOf(file).map((each) => each.file).filter((each) => each !== null)
    ),
  );
  const entries = new Set(['cli/nepho.mjs', 'cli/main.ts', 'scripts/test_reporter.mjs']);
  const manifest = readFileSync(path.join(PROJECT_DIR, 'package.json'), 'utf8');
  const isEntry = ({ name }: SourceFile) =>
    entries.has(name) || reached.has(name) || manifest.includes(name) ||
    /_test\.ts$|\.config\.ts$|^db\/schema\/|^scripts\/record_/.test(name) ||
    // Started as a process of its own, by its path.
    files.some(({ text }) =>
      text.includes(`'${name}'`) || text.includes(`/${path.basename(name)}'`)
    );
  none(files.filter((file) => !isEntry(file)).map(({ name }) => name));
});

// Written so that this file does not hold what it looks for.
const UNFINISHED = /\bTO[D]O\b|\bFIX[M]E\b|\bX{3}\b|\bHA[C]K\b/;
const SILENCED = /@ts-(?:i[g]nore|no[c]heck)/;
/** Folders of a workplace, and hosts that packages came from. */
const FOREIGN = /\/w[o]rk\/|\/f[a]rm\/|registry\.npm[j]s|proxy\.gol[a]ng|deb\.deb[i]an/;

test('nothing is left unfinished or silenced, and no place of one machine is named', () => {
  const texts = sourceFiles('.ts', '.mjs', '.md', '.yaml', '.json', '.sql', '.py', '.go')
    .filter(({ name }) =>
      name !== 'package-lock.json' && !/^test\/(?:fixtures|golden)\//.test(name)
    );
  none(
    texts.flatMap(({ name, lines }) =>
      lines.flatMap((line, index) =>
        [UNFINISHED, SILENCED, FOREIGN].some((pattern) => pattern.test(line))
          ? [`${name}:${index + 1}: ${line.trim().slice(0, 80)}`]
          : []
      )
    ),
  );
});

test('no test is the only one that runs', () => {
  const only = /\.only\(|\bonly: true/;
  none(files.filter(({ folder }) => folder === 'test').flatMap((file) => linesWith(file, only)));
});

test('one copy of protobufjs 8 is installed, or histories could not be replayed', () => {
  const lock = JSON.parse(readFileSync(path.join(PROJECT_DIR, 'package-lock.json'), 'utf8'));
  const copies = Object.entries<{ version?: string }>(lock.packages)
    .filter(([name, { version }]) =>
      name.endsWith('node_modules/protobufjs') && version?.startsWith('8.')
    )
    .map(([name]) => name);
  assert.deepEqual(copies, ['node_modules/protobufjs']);
});

test('every dependency is pinned exactly, and the lock agrees', () => {
  const manifest = JSON.parse(readFileSync(path.join(PROJECT_DIR, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(path.join(PROJECT_DIR, 'package-lock.json'), 'utf8'));
  const wanted = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies });
  none(
    wanted.filter(([name, version]) =>
      !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version) ||
      lock.packages[`node_modules/${name}`]?.version !== version
    ).map(([name, version]) => `${name} ${version}`),
  );
  const deno = JSON.parse(readFileSync(path.join(PROJECT_DIR, 'deno.json'), 'utf8'));
  assert.equal(deno.version ?? manifest.version, manifest.version);
  assert.equal(deno.imports, undefined, 'package.json alone names dependencies');
});

test('every link of the documentation leads to a file that is there', () => {
  none(
    sourceFiles('.md').flatMap(({ name, text }) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target.replace(/#.*$/, ''))
        .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(path.join(PROJECT_DIR, path.dirname(name), target)))
        .map((target) => `${name} links to ${target}`)
    ),
  );
});
