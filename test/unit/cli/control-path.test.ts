// Where the control socket lies when the data directory's path is too long for one.
import { chmodSync, chownSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { controlPath } from '../../../server/cli/control-path.ts';
import { folder } from '../../kit/folder.ts';

/** A data directory of which the socket lies elsewhere, and that place, which does not exist. */
function long(): { dataDir: string; place: string } {
  const dataDir = path.join(folder(), 'x'.repeat(120));
  const place = path.dirname(controlPath(dataDir));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  rmSync(place, { recursive: true });
  return { dataDir, place };
}

test('a short path is used itself; for a long one a private directory is made', () => {
  const short = folder();
  expect(controlPath(short)).toBe(path.join(short, 'run/control.sock'));
  const { dataDir, place } = long();
  expect(controlPath(dataDir)).toBe(path.join(place, 'control.sock'));
  expect(statSync(place).mode & 0o777).toBe(0o700);
  expect(controlPath(dataDir)).toBe(path.join(place, 'control.sock'));
});

test.each([
  ['open to others', (place: string) => (mkdirSync(place), chmodSync(place, 0o755)), 'its mode is 755'],
  ['a link to a private directory', (place: string) => symlinkSync(folder(), place), 'it is a symbolic link'],
  ['a link to nothing', (place: string) => symlinkSync('/nowhere/at/all', place), 'it is a symbolic link'],
  ['a file', (place: string) => writeFileSync(place, ''), 'it is no directory'],
])('a directory of that name that is %s is refused with a remedy', (_what, make, reason) => {
  const { dataDir, place } = long();
  make(place);
  expect(() => controlPath(dataDir)).toThrow(reason);
  expect(() => controlPath(dataDir)).toThrow('remove that, or use a dataDir with a shorter path');
});

test('a directory of another account is refused', () => {
  if (process.getuid?.() !== 0) return; // only root can give one away
  const { dataDir, place } = long();
  mkdirSync(place, { mode: 0o700 });
  chownSync(place, 65_534, 65_534);
  expect(() => controlPath(dataDir)).toThrow('it belongs to the account 65534');
});
