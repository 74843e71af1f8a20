// The page's first download must stay small: scripts that index.html names, gzipped.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const budget = 260_000;
const web = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'dist/web');
const index = path.join(web, 'index.html');
if (!existsSync(index)) {
  process.stderr.write('page size: dist/web/index.html is missing; run npm run build first\n');
  process.exit(1);
}
const scripts = [...readFileSync(index, 'utf8').matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(
  (match) => match[1],
);
const size = scripts.reduce((sum, script) => sum + gzipSync(readFileSync(path.join(web, script))).length, 0);
process.stdout.write(
  `page size: ${(size / 1000).toFixed(1)} kB gzipped of ${budget / 1000} kB (${scripts.length} scripts)\n`,
);
if (scripts.length === 0 || size > budget) process.exit(1);
