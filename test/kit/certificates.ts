// An own certificate authority, and server certificates from it, by openssl.
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface Authority {
  /** PEM file of the authority's own certificate. */
  file: string;
  /** Writes a new pair for these names in place of the old, by rename. */
  issue(names: string[], pair: { certFile: string; keyFile: string }): void;
}

/** @param folder private folder for its files */
export function makeAuthority(folder: string): Authority {
  const openssl = (...words: string[]): void => void execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Test CA');
  let serial = 1;
  return {
    file: path.join(folder, 'ca.pem'),
    issue(names, { certFile, keyFile }) {
      serial += 1;
      const alternatives = names.map((name) => `DNS:${name}`).join(',');
      writeFileSync(path.join(folder, 'extensions'), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth\n`);
      openssl('req', ...newKey, '-keyout', 'next.key', '-out', 'next.csr', '-subj', `/CN=${names[0]}`);
      const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', String(serial), '-days', '2'];
      openssl('x509', '-req', '-in', 'next.csr', ...signer, '-extfile', 'extensions', '-out', 'next.pem');
      renameSync(path.join(folder, 'next.key'), keyFile);
      renameSync(path.join(folder, 'next.pem'), certFile);
    },
  };
}
