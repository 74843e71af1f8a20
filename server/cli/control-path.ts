import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * Where the control socket lies: in the data directory, or, when that path is longer than a unix socket allows
 * (107 bytes), in a private directory of the temporary one.
 * @throws Error with a sentence when that directory is not ours alone: whoever made it could take the socket over
 */
export function controlPath(dataDir: string): string {
  const inside = path.join(dataDir, 'run', 'control.sock');
  if (Buffer.byteLength(inside) <= 107) return inside;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const outside = path.join(os.tmpdir(), `linkspan-${ownUid()}-${hash}`);
  try {
    mkdirSync(outside, { mode: 0o700 });
    chmodSync(outside, 0o700); // whatever the umask took
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refused(dataDir, outside, (error as Error).message);
  }
  const found = lstatSync(outside);
  const wrong = found.isSymbolicLink()
    ? 'it is a symbolic link'
    : !found.isDirectory()
      ? 'it is no directory'
      : found.uid !== ownUid()
        ? `it belongs to the account ${found.uid}`
        : (found.mode & 0o777) !== 0o700
          ? `its mode is ${(found.mode & 0o777).toString(8)} instead of 700`
          : undefined;
  if (wrong !== undefined) throw refused(dataDir, outside, wrong);
  return path.join(outside, 'control.sock');
}

const ownUid = (): number => process.getuid?.() ?? 0;

const refused = (dataDir: string, outside: string, wrong: string): Error =>
  new Error(
    `dataDir: '${dataDir}' is too long for the control socket, and '${outside}' cannot be used in its place (${wrong}); ` +
      'remove that, or use a dataDir with a shorter path',
  );
