// Joins agent/*.py and the tree agent/jupyter into the one Python file that is delivered. The same sources give the same bytes.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';

const agent = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'agent');
const localImport = /^from \.(\w+) import (?:\([^)]*\)|.*)\n/gm;

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

/** @returns {Map<string, string>} name -> text, each after all that it imports */
function inOrder() {
  const texts = new Map();
  const add = (name, from) => {
    if (texts.has(name)) return;
    if (from.includes(name)) throw new Error(`agent: import cycle ${[...from, name].join(' -> ')}`);
    const text = readFileSync(path.join(agent, `${name}.py`), 'utf8');
    for (const [, needed] of text.matchAll(localImport)) add(needed, [...from, name]);
    texts.set(name, text);
  };
  add('main', []);
  return texts;
}

/** All parts share one namespace: two of them must not define the same name. */
function refuseClashes(texts) {
  const owners = new Map();
  for (const [part, text] of texts) {
    const defined = [...text.matchAll(/^(?:async def|def|class) (\w+)|^(\w+(?:, \w+)*) = /gm)];
    for (const name of defined.flatMap(([, code, constants]) => code ?? constants.split(', '))) {
      const owner = owners.get(name) ?? part;
      if (owner !== part) throw new Error(`agent: ${owner}.py and ${part}.py both define ${name}`);
      owners.set(name, part);
    }
  }
}

/** @param {string} target path of the file to write */
export function buildAgent(target) {
  const texts = inOrder();
  refuseClashes(texts);
  let joined = '#!/usr/bin/env python3\n"""Linkspan\'s agent. Made by tools/agent.mjs from agent/; do not edit."""\n';
  for (const [part, text] of texts) {
    const own = text
      .replace(localImport, '')
      .replace('TREE = ""', `TREE = "${tree()}"`)
      .replace(/\nif __name__ == "__main__":[\s\S]*$/, '\n');
    joined += `\n# ---- ${part}\n${own.trim()}\n\n`;
  }
  joined += '\nif __name__ == "__main__":\n    main()\n';
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, joined);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildAgent(process.argv[2] ?? 'dist/agent.py');
