// Joins agent/*.py and the tree agent/jupyter into the one Python file that is delivered. The same sources give the same bytes.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';

const agent = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'agent');

/** In the order of their imports. */
const parts = ['wire', 'stream', 'mux', 'websocket', 'dial', 'enrol', 'process', 'private', 'app', 'plan', 'main'];

/** @returns {string} base64(zlib(JSON {path: text})) */
function tree() {
  const files = {};
  const visit = (relative) => {
    for (const name of readdirSync(path.join(agent, 'jupyter', relative)).sort()) {
      if (name === '__pycache__') continue;
      const at = path.posix.join(relative, name);
      if (statSync(path.join(agent, 'jupyter', at)).isDirectory()) visit(at);
      else files[at] = readFileSync(path.join(agent, 'jupyter', at), 'utf8');
    }
  };
  visit('');
  return deflateSync(JSON.stringify(files), { level: 9 }).toString('base64');
}

/** Imports between the parts fall away; all names share one namespace. */
function body(part) {
  const text = readFileSync(path.join(agent, `${part}.py`), 'utf8');
  return text
    .replace(/^from \.\w+ import \([^)]*\)\n/gm, '')
    .replace(/^from \.\w+ import .*\n/gm, '')
    .replace('TREE = ""', `TREE = "${tree()}"`)
    .replace(/\nif __name__ == "__main__":[\s\S]*$/, '\n')
    .trim();
}

/** @param {string} target path of the file to write */
export function buildAgent(target) {
  const head = '#!/usr/bin/env python3\n"""Linkspan\'s agent. Made by tools/agent.mjs from agent/; do not edit."""\n';
  const text = `${head}${parts.map((part) => `\n# ---- ${part}\n${body(part)}\n`).join('')}\n\nif __name__ == "__main__":\n    main()\n`;
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildAgent(process.argv[2] ?? 'dist/agent.py');
