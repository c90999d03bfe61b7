/** The foreign programs that the embedded system and the tests run: where each comes from. */

export type ProgramName = 'temporal' | 'nats-server' | 'fsck';

export interface Archive {
  /** A tar.gz. */
  url: string;
  /** The file in the archive, as its path ends. */
  member: string;
  /** Lower-case hex, or the address of a list of `<sha256>  <file>` lines. */
  checksum: { sha256: string } | { list: string };
}

export interface Program {
  name: ProgramName;
  /** What it is, as a sentence names it. */
  title: string;
  /** The variable that names its file, see cli/env.ts. Null: no variable, it is a test's tool. */
  variable: 'NEPHO_TEMPORAL_CLI' | 'NEPHO_NATS_SERVER' | null;
  /** False where PATH may have another program of the same name. */
  inPath: boolean;
  /** Arguments that make it print its version. Null: it has none to print. */
  versionArgs: readonly string[] | null;
  /** The version within what it prints. */
  versionPattern: RegExp;
  /** The oldest that will do. */
  oldest: readonly [number, number];
  goPackage: string;
  /** Seconds that `go install` takes on two cores from an empty cache. */
  buildSeconds: number;
  /** Null where there is no official download for the platform. */
  archive: (platform: string, arch: string) => Archive | null;
}

/** The last release that `go install` can build: later ones have a `replace` in their go.mod. */
const TEMPORAL_CLI = '1.5.1';
const NATS_SERVER = '2.12.15';
const TESSERA = 'v1.0.4';

/** SHA-256 of temporal_cli_1.5.1_<platform>_<arch>.tar.gz as released. */
const TEMPORAL_SHA256: Readonly<Record<string, string>> = {
  linux_amd64: 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  linux_arm64: 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  darwin_amd64: 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  darwin_arm64: 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

export const PROGRAMS: Readonly<Record<ProgramName, Program>> = {
  temporal: {
    name: 'temporal',
    title: `Temporal's command line ${TEMPORAL_CLI}`,
    variable: 'NEPHO_TEMPORAL_CLI',
    inPath: true,
    versionArgs: ['--version'],
    // `temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)`: the server's version is what counts.
    versionPattern: /Server (\d+)\.(\d+)/,
    oldest: [1, 29],
    goPackage: `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI}`,
    buildSeconds: 210,
    archive: (platform, arch) => {
      const sha256 = TEMPORAL_SHA256[`${platform}_${arch}`];
      if (sha256 === undefined) return null;
      const release = `https://github.com/temporalio/cli/releases/download/v${TEMPORAL_CLI}`;
      return {
        url: `${release}/temporal_cli_${TEMPORAL_CLI}_${platform}_${arch}.tar.gz`,
        member: 'temporal',
        checksum: { sha256 },
      };
    },
  },
  'nats-server': {
    name: 'nats-server',
    title: `nats-server ${NATS_SERVER}`,
    variable: 'NEPHO_NATS_SERVER',
    inPath: true,
    versionArgs: ['--version'],
    versionPattern: /v(\d+)\.(\d+)/,
    // 2.9, which Debian has, knows neither `sync_interval: always` nor per-stream metadata.
    oldest: [2, 10],
    goPackage: `github.com/nats-io/nats-server/v2@v${NATS_SERVER}`,
    buildSeconds: 20,
    archive: (platform, arch) => {
      const release = `https://github.com/nats-io/nats-server/releases/download/v${NATS_SERVER}`;
      return {
        url: `${release}/nats-server-v${NATS_SERVER}-${platform}-${arch}.tar.gz`,
        member: 'nats-server',
        checksum: { list: `${release}/SHA256SUMS` },
      };
    },
  },
  fsck: {
    name: 'fsck',
    title: `Tessera's fsck ${TESSERA}`,
    variable: null,
    // There it is the checker of file systems.
    inPath: false,
    versionArgs: null,
    versionPattern: /^/,
    oldest: [0, 0],
    goPackage: `github.com/transparency-dev/tessera/cmd/fsck@${TESSERA}`,
    buildSeconds: 10,
    archive: () => null,
  },
};

/** Go's and the releases' name of a processor. */
export function goArch(nodeArch: string): string {
  return nodeArch === 'x64' ? 'amd64' : nodeArch;
}
