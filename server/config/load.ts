// file < environment < flags; secrets may stand in files of their own.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, FileError, parseYaml } from '../lib/yaml-file.ts';
import { overlayEnvironment, put } from './env.ts';
import { Config } from './schema.ts';
import { ConfigError } from './settings.ts';

export interface ConfigSource {
  /** --config; must exist when given. */
  file?: string | undefined;
  env: NodeJS.ProcessEnv;
  /** Keys set by flags, for example `{ 'listen.port': 9000 }`. */
  flags: Record<string, unknown>;
  /** Where linkspan.yaml is looked for. */
  directory: string;
}

/**
 * @throws FileError with file, line and column; ConfigError for variables and flags
 */
export function loadConfig({ file, env, flags, directory }: ConfigSource): Config {
  const named = file ?? env['LINKSPAN_CONFIG'];
  const at = path.resolve(directory, named ?? 'linkspan.yaml');
  const exists = existsSync(at);
  if (named !== undefined && !exists) throw new FileError([`${at}:1:1: does not exist`]);
  const parsed = exists ? parseYaml(at, readFileSync(at, 'utf8')) : { data: {}, at: () => 'linkspan.yaml:1:1' };
  const fromFile = (parsed.data ?? {}) as Record<string, unknown>;
  if (typeof fromFile !== 'object' || Array.isArray(fromFile))
    throw new FileError([`${at}:1:1: file: must hold keys such as 'listen:'`]);
  // The file alone first: its mistakes have a line and a column.
  const alone = Config.safeParse(fromFile);
  if (!alone.success) throw new FileError(alone.error.issues.flatMap((issue) => describe(issue, parsed)));
  const merged = overlayEnvironment(fromFile, env);
  for (const [key, value] of Object.entries(flags)) if (value !== undefined) put(merged, key.split('.'), value);
  const result = Config.safeParse(merged);
  if (!result.success)
    throw new ConfigError(
      result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message} (from the environment or a flag)`),
    );
  return readSecrets(result.data, path.dirname(at));
}

/** Fills clientSecret and token from their files. */
function readSecrets(config: Config, directory: string): Config {
  const read = (key: string, file: string): string => {
    try {
      return readFileSync(path.resolve(directory, file), 'utf8').trim();
    } catch (error) {
      throw new ConfigError([`${key}: '${file}' cannot be read (${(error as Error).message})`]);
    }
  };
  const { issuer, metrics } = config;
  return {
    ...config,
    ...(issuer?.clientSecretFile
      ? { issuer: { ...issuer, clientSecret: read('issuer.clientSecretFile', issuer.clientSecretFile) } }
      : {}),
    ...(metrics.tokenFile ? { metrics: { ...metrics, token: read('metrics.tokenFile', metrics.tokenFile) } } : {}),
  };
}
