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
export function loadConfig(source: ConfigSource): Config {
  const { env, flags } = source;
  const { at, named } = configFile(source);
  const exists = existsSync(at);
  if (named && !exists) throw new FileError([`${at}:1:1: does not exist`]);
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

/** @returns where the configuration file lies, or would; and whether somebody named it */
export function configFile({ file, env, directory }: Omit<ConfigSource, 'flags'>): { at: string; named: boolean } {
  const name = file ?? env['LINKSPAN_CONFIG'];
  return { at: path.resolve(directory, name ?? 'linkspan.yaml'), named: name !== undefined };
}

/** Fills clientSecret and token from their files, and gives those names in full: they count from the configuration's folder. */
function readSecrets(config: Config, directory: string): Config {
  const full = (file: string): string => path.resolve(directory, file);
  const read = (key: string, file: string): string => {
    try {
      return readFileSync(full(file), 'utf8').trim();
    } catch (error) {
      throw new ConfigError([`${key}: '${file}' cannot be read (${(error as Error).message})`]);
    }
  };
  const { issuer, metrics } = config;
  const { clientSecretFile } = issuer ?? {};
  const { tokenFile } = metrics;
  const clientSecret = clientSecretFile && read('issuer.clientSecretFile', clientSecretFile);
  const token = tokenFile && read('metrics.tokenFile', tokenFile);
  return {
    ...config,
    ...(issuer && clientSecretFile
      ? { issuer: { ...issuer, clientSecret, clientSecretFile: full(clientSecretFile) } }
      : {}),
    ...(tokenFile ? { metrics: { ...metrics, token, tokenFile: full(tokenFile) } } : {}),
  };
}
