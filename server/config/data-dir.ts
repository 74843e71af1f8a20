// The data directory: private to the account that runs the server; holds the key that is kept outside the database.
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { ConfigError } from './settings.ts';

/**
 * Makes the directory (0700) where it is missing.
 * @throws ConfigError when it cannot be made or written
 */
export function prepareDataDir(dataDir: string): void {
  try {
    makeFolder(dataDir);
    chmodSync(dataDir, 0o700);
    accessSync(dataDir, constants.W_OK | constants.X_OK);
    for (const name of ['run', 'sessions', 'homes'])
      mkdirSync(path.join(dataDir, name), { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([
      `dataDir: '${dataDir}' is not writable (${reason}); give a directory that belongs to the account that runs the server`,
    ]);
  }
}

/** Like mkdir -p. Node's own never returns where a file system answers ENOENT although the folder above exists, as /proc does. */
function makeFolder(folder: string): void {
  if (!existsSync(folder) && !existsSync(path.dirname(folder))) makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/**
 * The key that seals tokens and the embedded issuer's secrets.
 * @returns where it lies, and its 32 bytes if it is there
 * @throws ConfigError when the file has another length: a cut key must not be replaced silently
 */
export function readKey(dataDir: string): { at: string; key: Buffer | undefined } {
  const at = keyFile(dataDir);
  if (!existsSync(at)) return { at, key: undefined };
  const key = readFileSync(at);
  if (key.length !== 32) {
    throw new ConfigError([
      `dataDir: '${at}' has ${key.length} bytes instead of 32; restore it from a backup. Without it logins are lost, sessions are not`,
    ]);
  }
  return { at, key };
}

/** Makes the key, readable for its owner only; never replaces one. */
export function makeKey(dataDir: string): Buffer {
  const key = randomBytes(32);
  writeFileSync(keyFile(dataDir), key, { mode: 0o600, flag: 'wx' });
  return key;
}

const keyFile = (dataDir: string): string => path.join(dataDir, 'secret.key');
