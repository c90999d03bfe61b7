import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestCertificate {
  /** The authority that signed it, PEM. */
  ca: string;
  cert: string;
  key: string;
}

/** Why no certificates can be made here, or false if they can. */
export function opensslSkipReason(): string | false {
  return spawnSync('openssl', ['version']).status === 0
    ? false
    : 'no openssl: install the package openssl';
}

/** A certificate by an authority of its own. `name` as in `IP:127.0.0.1` or `DNS:cloud.example`. */
export function makeCertificate(name: string): TestCertificate {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-tls-'));
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const read = (file: string) => readFileSync(join(directory, file), 'utf8');
  try {
    writeFileSync(join(directory, 'names'), `subjectAltName=${name}\n`);
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=nepho test authority',
    );
    openssl('req', ...newKey, '-keyout', 'key.pem', '-out', 'request', '-subj', '/CN=nepho test');
    openssl(
      'x509',
      '-req',
      '-in',
      'request',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
      '-out',
      'cert.pem',
    );
    return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
