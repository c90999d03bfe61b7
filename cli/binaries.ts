/**
 * Finds a foreign program or makes it: a variable, PATH, the cache, `go install`, the official download,
 * in this order (design: one command on a fresh machine).
 */
import { execFile, spawn } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { downloadProgram } from './download.ts';
import { childEnvironment, type Settings } from './env.ts';
import { type Tell, tell, withProgress } from './progress.ts';
import { goArch, type Program, type ProgramName, PROGRAMS } from './programs.ts';

const run = promisify(execFile);

export type SearchSettings = Pick<
  Settings,
  'temporalCli' | 'natsServer' | 'binDir' | 'searchPath'
>;

export interface MakeOptions {
  say?: Tell;
  /** Asked for an archive; the official one unless given. */
  archive?: Program['archive'];
  /** The file of Go's program, null for none; looked for unless given. */
  go?: string | null;
}

/**
 * The file of a program that runs here and is new enough, made if there is none.
 *
 * @throws {NephoError} `program_unusable` if its variable names a file that does not run or is too old,
 * `program_missing` if none is found and none can be made; the sentence says what to install
 */
export async function findOrMakeProgram(
  name: ProgramName,
  settings: SearchSettings,
  options: MakeOptions = {},
): Promise<string> {
  return await findProgram(name, settings) ?? await makeProgram(name, settings, options);
}

/**
 * The file of a program that is already here, or null. One in PATH that is too old is passed over.
 *
 * @throws {NephoError} `program_unusable` if its variable names a file that will not do
 */
export async function findProgram(
  name: ProgramName,
  settings: SearchSettings,
): Promise<string | null> {
  const program = PROGRAMS[name];
  const named = namedFile(program, settings);
  if (named !== null) {
    const fault = await faultOf(program, named);
    if (fault === null) return named;
    throw new NephoError(
      'program_unusable',
      `Cannot use '${named}', which ${program.variable} names: ${fault}; name another or unset the variable`,
    );
  }
  const dirs = [...(program.inPath ? settings.searchPath : []), settings.binDir];
  for (const dir of dirs) {
    const file = path.join(dir, program.name);
    if (await faultOf(program, file) === null) return file;
  }
  return null;
}

async function makeProgram(
  name: ProgramName,
  settings: SearchSettings,
  options: MakeOptions,
): Promise<string> {
  const program = PROGRAMS[name];
  const say = options.say ?? tell;
  const failures: string[] = [];
  await mkdir(settings.binDir, { recursive: true });
  // A folder of its own: a half-made program, or two makers at once, never meet in the cache.
  const work = await mkdtemp(path.join(settings.binDir, `.making-${name}-`));
  try {
    for (const make of [buildWithGo, download]) {
      try {
        const made = await make({ program, settings, work, say, options });
        const fault = await faultOf(program, made);
        if (fault !== null) throw new Error(fault);
        const file = path.join(settings.binDir, program.name);
        await rename(made, file);
        return file;
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const remedy = program.variable === null ? '' : `, or name its file by ${program.variable}`;
  throw new NephoError(
    'program_missing',
    `Cannot start ${program.title}: it is neither in PATH nor in ${settings.binDir}; ${
      failures.join('; ')
    }. Install Go 1.25 or newer, or connect to the internet${remedy}`,
  );
}

interface Making {
  program: Program;
  settings: SearchSettings;
  work: string;
  say: Tell;
  options: MakeOptions;
}

async function buildWithGo({ program, settings, work, say, options }: Making): Promise<string> {
  const go = options.go === undefined ? await findGo(settings) : options.go;
  if (go === null) throw new Error('go is not installed');
  say(
    `Building ${program.title} by \`go install\`, once: about ${
      duration(program.buildSeconds)
    } on two cores`,
  );
  let packages = 0;
  await withProgress(
    `Building ${program.name}`,
    () => goInstall(go, program, work, (count) => packages += count),
    {
      expectedSeconds: program.buildSeconds,
      detail: () => packages === 0 ? 'fetching sources' : `${packages} packages compiled`,
      say,
    },
  );
  return path.join(work, program.name);
}

/** `-v` names each package as it is compiled: the only sign of life that `go install` gives. */
function goInstall(
  go: string,
  program: Program,
  work: string,
  onPackages: (count: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(go, ['install', '-v', '-ldflags=-s -w', program.goPackage], {
      cwd: work,
      env: childEnvironment({ GOBIN: work, CGO_ENABLED: '0' }),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const killNow = (): void => void child.kill();
    process.once('exit', killNow);
    let lastLines = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      onPackages(text.split('\n').length - 1);
      lastLines = (lastLines + text).slice(-600);
    });
    child.once('error', reject);
    child.once('close', (status) => {
      process.off('exit', killNow);
      if (status === 0) resolve();
      else reject(new Error(`\`go install\` failed: ${lastLines.trim().split('\n').at(-1)}`));
    });
  });
}

async function download({ program, work, say, options }: Making): Promise<string> {
  const archive = (options.archive ?? program.archive)(process.platform, goArch(process.arch));
  if (archive === null) {
    throw new Error(`there is no download for ${process.platform} on ${process.arch}`);
  }
  say(`Downloading ${program.title} from ${new URL(archive.url).host}`);
  return await withProgress(`Downloading ${program.name}`, () => downloadProgram(archive, work), {
    say,
  });
}

/** Null if the file runs and is new enough, else what is the matter with it. */
async function faultOf(program: Program, file: string): Promise<string | null> {
  try {
    await access(file, constants.X_OK);
  } catch {
    return 'there is no such program';
  }
  if (program.versionArgs === null) return null;
  let output: string;
  try {
    const { stdout, stderr } = await run(file, [...program.versionArgs], { timeout: 20_000 });
    output = stdout + stderr;
  } catch (error) {
    return `it does not run: ${errorMessage(error).split('\n')[0]}`;
  }
  const match = program.versionPattern.exec(output);
  if (match === null) return `it does not tell its version but '${output.slice(0, 60).trim()}'`;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  const [oldMajor, oldMinor] = program.oldest;
  const isNew = major > oldMajor || (major === oldMajor && minor >= oldMinor);
  return isNew ? null : `it is ${major}.${minor}, too old: ${oldMajor}.${oldMinor} is needed`;
}

async function findGo(settings: SearchSettings): Promise<string | null> {
  for (const dir of [...settings.searchPath, '/usr/local/go/bin']) {
    const file = path.join(dir, 'go');
    const found = await access(file, constants.X_OK).then(() => true, () => false);
    if (found) return file;
  }
  return null;
}

function namedFile(program: Program, settings: SearchSettings): string | null {
  if (program.variable === 'NEPHO_TEMPORAL_CLI') return settings.temporalCli;
  if (program.variable === 'NEPHO_NATS_SERVER') return settings.natsServer;
  return null;
}

function duration(seconds: number): string {
  return seconds < 90 ? `${seconds} s` : `${(seconds / 60).toFixed(1)} minutes`;
}
