// Reference pages made from the schemas' own descriptions.
import { z } from 'zod';
import { catalogue } from '../contract/errors.ts';
import { Config } from '../server/config/schema.ts';
import { Profile, Site } from '../contract/profile.ts';

interface Node {
  type?: string | string[];
  description?: string;
  default?: unknown;
  properties?: Record<string, Node>;
  items?: Node;
  enum?: unknown[];
  anyOf?: Node[];
  required?: string[];
  const?: unknown;
}

const head = (title: string, text: string): string =>
  `# ${title}\n\n${text}\n\nMade by \`npm run generate\`; do not edit.\n\n`;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function typeOf(node: Node): string {
  if (node.enum) return node.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.anyOf) return node.anyOf.map(typeOf).join(' or ');
  if (node.type === 'array') return `list of ${node.items ? typeOf(node.items) : 'values'}`;
  return [node.type ?? 'object'].flat().join(' or ');
}

function rowsOf(node: Node, prefix: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = prefix === '' ? name : `${prefix}.${name}`;
    if (child.properties && child.type === 'object') return rowsOf(child, at);
    const fallback =
      child.default === undefined
        ? node.required?.includes(name)
          ? 'required'
          : ''
        : `\`${JSON.stringify(child.default)}\``;
    return [`| \`${at}\` | ${cell(typeOf(child))} | ${cell(fallback)} | ${cell(child.description ?? '')} |`];
  });
}

function table(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'input' }) as Node;
  return ['| key | type | default | meaning |', '| --- | --- | --- | --- |', ...rowsOf(json, '')].join('\n') + '\n';
}

/** @returns docs/reference/configuration.md */
export const configurationPage = (): string =>
  head(
    'Configuration',
    '`linkspan.yaml` (or the file after `--config`), then the environment, then flags. A key such as `listen.port` is `LINKSPAN_LISTEN_PORT` in the environment; lists are separated by commas.',
  ) + table(Config);

/** @returns docs/reference/profiles.md */
export const profilesPage = (): string =>
  head(
    'Sites and profiles',
    'Files named by `sitesFile` and in `profilesDir`. Unknown keys are errors; every error names file, line and column.',
  ) + `## A site\n\n${table(Site)}\n## A profile\n\n${table(Profile)}`;

/** @returns docs/reference/errors.md */
export const errorsPage = (): string =>
  head(
    'Errors',
    'Every refusal is `application/problem+json` (RFC 9457) with one of these codes; pages for people show the sentence.',
  ) +
  [
    '| code | status | sentence |',
    '| --- | --- | --- |',
    ...Object.entries(catalogue).map(([code, [status, text]]) => `| \`${code}\` | ${status} | ${cell(text)} |`),
  ].join('\n') +
  '\n';
