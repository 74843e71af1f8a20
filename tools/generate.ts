// npm run generate: writes the generated files; with --check it only compares and fails on drift.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ProfilesFile, SitesFile } from '../contract/profile.ts';
import { lintConfig } from './lint-config.mjs';
import { configurationPage, errorsPage, profilesPage } from './reference.ts';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

const files: Record<string, string> = {
  '.oxlintrc.json': json(lintConfig()),
  'spawner-profiles/schema.json': json({
    title: 'Linkspan sites and profiles',
    anyOf: [z.toJSONSchema(SitesFile, { io: 'input' }), z.toJSONSchema(ProfilesFile, { io: 'input' })],
  }),
  'docs/reference/configuration.md': configurationPage(),
  'docs/reference/profiles.md': profilesPage(),
  'docs/reference/errors.md': errorsPage(),
};

const checkOnly = process.argv.includes('--check');
let drifted = 0;
for (const [name, text] of Object.entries(files)) {
  const at = path.join(root, name);
  if (existsSync(at) && readFileSync(at, 'utf8') === text) continue;
  drifted += 1;
  if (checkOnly) process.stderr.write(`generate: ${name} is out of date; run npm run generate\n`);
  else {
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, text);
    process.stdout.write(`generate: wrote ${name}\n`);
  }
}
process.exitCode = checkOnly && drifted > 0 ? 1 : 0;
