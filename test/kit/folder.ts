// A temporary folder with files in it, gone at the end of the test.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** @param files text by path below the folder */
export function folder(files: Record<string, string> = {}): string {
  const at = mkdtempSync(path.join(os.tmpdir(), 'ls-files-'));
  onTestFinished(() => rmSync(at, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
    writeFileSync(path.join(at, name), text);
  }
  return at;
}
