// Content hash of files and folders, to know whether a step has anything to do.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const leftOut = new Set(['node_modules', 'dist', '__pycache__', '.git']);

/**
 * @param {string} root folder that the paths are relative to
 * @param {string[]} paths files or folders; a missing one counts as empty
 * @param {string} extra text that also decides
 * @returns {string} SHA-256 in hex
 */
export function hashOf(root, paths, extra = '') {
  const hash = createHash('sha256').update(extra);
  const visit = (relative) => {
    const at = path.join(root, relative);
    if (!existsSync(at)) return;
    if (statSync(at).isDirectory()) {
      for (const name of readdirSync(at).sort()) if (!leftOut.has(name)) visit(path.join(relative, name));
    } else {
      hash.update(`\0${relative}\0`).update(readFileSync(at));
    }
  };
  for (const entry of paths) visit(entry);
  return hash.digest('hex');
}
