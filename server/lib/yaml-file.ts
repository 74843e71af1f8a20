// YAML files with a schema: every mistake is reported at once, each with file, line and column and what would be right.
import { readFileSync } from 'node:fs';
import { isMap, isPair, isScalar, LineCounter, parseDocument, visit, type Document, type Node } from 'yaml';
import type { z } from 'zod';

/** Keys whose values never stand in a message. */
export const isSecretKey = (key: string): boolean => /secret|token|password|database/i.test(key);

/** One line per mistake: `file:line:column: path: what is wrong; what would be right`. */
export class FileError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'FileError';
    this.problems = problems;
  }
}

export interface YamlFile<T> {
  value: T;
  /** @returns `file:line:column` of a path, for mistakes that only several files together show */
  at: (path: readonly PropertyKey[]) => string;
}

/**
 * @throws FileError with all mistakes of the file
 */
export function readYaml<T>(file: string, schema: z.ZodType<T>): YamlFile<T> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new FileError([`${file}:1:1: cannot be read (${(error as Error).message})`]);
  }
  const parsed = parseYaml(file, text);
  const result = schema.safeParse(parsed.data ?? {});
  if (!result.success) throw new FileError(result.error.issues.flatMap((issue) => describe(issue, parsed)));
  return { value: result.data, at: parsed.at };
}

export interface ParsedYaml {
  data: unknown;
  at: (path: readonly PropertyKey[], ofKey?: boolean) => string;
}

/** @throws FileError for text that is no YAML, or has a key twice */
export function parseYaml(file: string, text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw new FileError(
      document.errors.map((error) => {
        const { line } = lines.linePos(error.pos[0]);
        const said = error.message.split('\n')[0]?.replace(/ at line.*$/, '');
        // What it says may quote the line.
        const quiet = said === undefined || isSecretKey(text.split('\n')[line - 1] ?? '');
        return `${place(error.pos[0])}: ${quiet ? 'is no YAML; put the value in quotes' : said}`;
      }),
    );
  }
  const lost: string[] = [];
  visit(document, {
    Alias: (_key, alias) => {
      if (!alias.resolve(document))
        lost.push(
          `${place(alias.range?.[0] ?? 0)}: names an anchor that is not there; put a value that begins with * in quotes`,
        );
    },
  });
  if (lost.length > 0) throw new FileError(lost);
  return { data: document.toJS() as unknown, at: (path, ofKey = false) => place(offsetOf(document, path, ofKey)) };
}

/** Offset of the value at a path, or of the deepest part of the path that exists. */
function offsetOf(document: Document, path: readonly PropertyKey[], ofKey: boolean): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  path.forEach((part, index) => {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part),
      );
      if (!pair) return void (node = null);
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      const wantKey = ofKey && index === path.length - 1;
      offset = (wantKey ? key.range?.[0] : (value?.range?.[0] ?? key.range?.[0])) ?? offset;
      node = value;
    } else if (node && 'items' in node) {
      const item = (node.items as unknown as Node[])[Number(part)];
      offset = item?.range?.[0] ?? offset;
      node = item ?? null;
    }
  });
  return offset;
}

type Issue = z.core.$ZodIssue;

/** @returns the mistake in words; a union reports the branch that fits best */
export function describe(issue: Issue, parsed: ParsedYaml, base: readonly PropertyKey[] = []): string[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) =>
        `${parsed.at([...path, key], true)}: ${[...path, key].join('.')}: is not a known key; check its spelling in docs/reference`,
    );
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const nearest = [...issue.errors].sort((a, b) => score(a) - score(b))[0]!;
    return nearest.flatMap((one) => describe(one, parsed, path));
  }
  const given = valueAt(parsed.data, path);
  const hidden = given === undefined || path.some((part) => isSecretKey(String(part)));
  const shown = hidden ? '' : ` (found ${withoutSecrets(given).slice(0, 60)})`;
  return [`${parsed.at(path)}: ${path.length === 0 ? 'file' : path.join('.')}: ${sentence(issue)}${shown}`];
}

/** A branch whose discriminating literal is wrong fits worse. */
const score = (issues: readonly Issue[]): number =>
  issues.length + (issues.some((issue) => issue.code === 'invalid_value' && issue.path.length === 1) ? 100 : 0);

function sentence(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    return issue.message.includes('received undefined')
      ? `is missing; a ${issue.expected} is needed`
      : `must be a ${issue.expected}`;
  }
  if (issue.code === 'invalid_value')
    return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  return issue.message;
}

const withoutSecrets = (value: unknown): string =>
  JSON.stringify(value, (key, inner: unknown) => (isSecretKey(key) ? '[hidden]' : inner)) ?? typeof value;

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let at = data;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}
