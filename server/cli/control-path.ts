import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * Where the control socket lies: in the data directory, or, when that path is longer than a unix socket allows
 * (107 bytes), in a private directory of the temporary one.
 * @throws Error when somebody else made that directory first
 */
export function controlPath(dataDir: string): string {
  const inside = path.join(dataDir, 'run', 'control.sock');
  if (Buffer.byteLength(inside) <= 107) return inside;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const outside = path.join(os.tmpdir(), `linkspan-${process.getuid?.() ?? 0}-${hash}`);
  mkdirSync(outside, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(outside);
  const isOurs = lstatSync(outside).isDirectory() && uid === (process.getuid?.() ?? uid) && (mode & 0o077) === 0;
  if (!isOurs)
    throw new Error(`'${outside}' belongs to somebody else or is open to others; remove it, or give a shorter dataDir`);
  return path.join(outside, 'control.sock');
}
