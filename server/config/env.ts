// LINKSPAN_* variables: every leaf of the schema has one, `listen.port` is LINKSPAN_LISTEN_PORT.
import { z } from 'zod';
import { isSecretKey } from '../lib/yaml-file.ts';
import { Config } from './schema.ts';
import { ConfigError } from './settings.ts';

interface Node {
  type?: string;
  properties?: Record<string, Node>;
}

interface Leaf {
  path: string[];
  type: string;
}

/** @returns the variable of a key */
export const variableOf = (path: readonly string[]): string =>
  `LINKSPAN_${path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')}`;

function leavesOf(node: Node, path: string[] = []): Leaf[] {
  if (!node.properties) return [{ path, type: node.type ?? 'object' }];
  return Object.entries(node.properties).flatMap(([name, child]) => leavesOf(child, [...path, name]));
}

/** Variables of ours that are no configuration. */
const others = new Set(['LINKSPAN_CONFIG', 'LINKSPAN_SETUP_PYTHON', 'LINKSPAN_TEST_PYTHON']);

/**
 * Lays the environment over a configuration that was read from a file.
 * @returns a new object; values are converted to the key's type, lists are separated by commas, objects are JSON
 * @throws ConfigError naming every variable that is not known or not of the key's type
 */
export function overlayEnvironment(file: Record<string, unknown>, env: NodeJS.ProcessEnv): Record<string, unknown> {
  const leaves = new Map(
    leavesOf(z.toJSONSchema(Config, { io: 'input' }) as Node).map((leaf) => [variableOf(leaf.path), leaf]),
  );
  const result = structuredClone(file);
  const problems: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('LINKSPAN_') || others.has(name) || text === undefined) continue;
    const leaf = leaves.get(name);
    if (!leaf) {
      problems.push(`${name}: is no setting; docs/reference/configuration.md lists all`);
      continue;
    }
    try {
      put(result, leaf.path, convert(text, leaf.type));
    } catch (error) {
      const found = isSecretKey(name) ? '' : `'${text}' `;
      problems.push(`${name}: ${found}${error instanceof Error ? error.message : 'is not understood'}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return result;
}

function convert(text: string, type: string): unknown {
  if (type === 'integer' || type === 'number') {
    if (text.trim() === '' || Number.isNaN(Number(text))) throw new Error('is not a number');
    return Number(text);
  }
  if (type === 'boolean') {
    if (text !== 'true' && text !== 'false') throw new Error("is not 'true' or 'false'");
    return text === 'true';
  }
  if (type === 'array' && !text.startsWith('['))
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  if (type === 'array' || type === 'object') return parseJson(text);
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is not JSON');
  }
}

/** Sets a nested key, making objects on the way. */
export function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path;
  if (first === undefined) return;
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const next = target[first];
  const child =
    typeof next === 'object' && next !== null && !Array.isArray(next) ? (next as Record<string, unknown>) : {};
  target[first] = child;
  put(child, rest, value);
}
