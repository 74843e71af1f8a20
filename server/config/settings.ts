// Turns the configuration into what the parts need, and refuses set-ups that would expose people.
import path from 'node:path';
import { getDomain } from 'tldts';
import type { Config } from './schema.ts';

/** A set-up that must not start. Each line names the key and what to configure. */
export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface Settings {
  config: Config;
  port: number;
  publicUrl: URL;
  /** True: the embedded issuer with demo people. */
  embeddedIssuer: boolean;
  /** Domain below which sessions get hosts; unused where there is a pool. */
  sessionDomain: string;
  sessionHosts: string[];
  /** Scheme and port of session hosts: those of publicUrl. */
  sessionOrigin: (host: string) => string;
  /** What agents of the local site dial. */
  agentUrl: URL;
  /** Port of a plain loopback listener for agents of this machine; needed only with TLS. */
  agentPort: number | null;
  dataDir: string;
  homesDir: string;
  databaseUrl: string;
  /** Where the configuration was read from; undefined when there is no file. */
  configFile: string | undefined;
}

/** @returns whether the listener can be reached from this machine only */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' ||
  host === '::1' ||
  host === '[::1]' ||
  /^127(\.\d{1,3}){3}$/.test(host) ||
  host.endsWith('.localhost');

/**
 * @param config as loaded
 * @param port the port that will really be listened on (config may say 0)
 * @param configFile the file that the configuration was read from, if there is one
 * @throws ConfigError listing everything that is wrong at once
 */
export function settle(config: Config, port: number, configFile?: string): Settings {
  const problems: string[] = [];
  const publicUrl = new URL(config.publicUrl ?? `http://localhost:${port}`);
  const embeddedIssuer = config.issuer === undefined;
  if (publicUrl.pathname !== '/' || publicUrl.search !== '' || publicUrl.hash !== '') {
    problems.push(`publicUrl: '${config.publicUrl}' has a path; give only scheme, host and port`);
  }
  problems.push(...exposure(config, publicUrl, embeddedIssuer));
  const sessionDomain = (config.sessionDomain ?? 'localhost').toLowerCase();
  problems.push(...sessionNames(config, publicUrl, sessionDomain));
  if (problems.length > 0) throw new ConfigError(problems);

  const dataDir = path.resolve(config.dataDir);
  const agentPort = config.tls && !config.agentUrl ? (config.listen.agentPort ?? port + 1) : null;
  const suffix = publicUrl.port === '' ? '' : `:${publicUrl.port}`;
  const loopback = isLoopback(config.listen.host) ? config.listen.host.replace('localhost', '127.0.0.1') : '127.0.0.1';
  return {
    config,
    port,
    publicUrl,
    embeddedIssuer,
    sessionDomain,
    sessionHosts: config.sessionHosts.map((host) => host.toLowerCase()),
    sessionOrigin: (host) => `${publicUrl.protocol}//${host}${suffix}`,
    agentUrl: new URL(config.agentUrl ?? `http://${loopback.includes(':') ? '[::1]' : loopback}:${agentPort ?? port}`),
    agentPort,
    dataDir,
    homesDir: path.resolve(config.homesDir ?? path.join(dataDir, 'homes')),
    databaseUrl: config.database ?? `sqlite:${path.join(dataDir, 'linkspan.sqlite')}`,
    configFile,
  };
}

/** What must be configured before anybody but people of this machine can reach the server. */
function exposure(config: Config, publicUrl: URL, embeddedIssuer: boolean): string[] {
  const problems: string[] = [];
  const wide = !isLoopback(config.listen.host);
  const named = !isLoopback(publicUrl.hostname);
  if (embeddedIssuer && (wide || named)) {
    const what = wide
      ? `listen.host: '${config.listen.host}' is not loopback`
      : `publicUrl: '${publicUrl.origin}' is not on this machine`;
    problems.push(
      `${what}, but the demo people of the embedded login service are in place: their passwords are printed at start. ` +
        'Configure issuer (url, clientId, clientSecret), publicUrl, sessionDomain or sessionHosts, and tls or trustProxy',
    );
  }
  if (!wide && !named) return problems;
  if (config.publicUrl === undefined)
    problems.push(
      'publicUrl: is missing; off loopback, say where browsers find the portal, for example https://linkspan.example.org',
    );
  else if (publicUrl.protocol !== 'https:')
    problems.push(`publicUrl: '${publicUrl.origin}' is not https; browsers keep our cookies only over https there`);
  if (config.sessionDomain === undefined && config.sessionHosts.length === 0) {
    problems.push(
      'sessionDomain: is missing; off loopback, give a domain with wildcard DNS on another registrable domain than publicUrl, or a list of names in sessionHosts',
    );
  }
  if (config.tls === undefined && config.trustProxy.length === 0) {
    problems.push(
      'tls: is missing; off loopback, give tls.certFile and tls.keyFile, or list in trustProxy the proxy that ends TLS',
    );
  }
  return problems;
}

/** Session hosts must not share a registrable domain with the portal: cookies and same-site rules would join them. */
function sessionNames(config: Config, publicUrl: URL, sessionDomain: string): string[] {
  const portal = registrable(publicUrl.hostname);
  const names = config.sessionHosts.length > 0 ? config.sessionHosts : [sessionDomain];
  return names
    .filter((name) => !isLoopback(name) && registrable(name) === portal)
    .map((name) => {
      const key = config.sessionHosts.length > 0 ? 'sessionHosts' : 'sessionDomain';
      return `${key}: '${name}' and publicUrl '${publicUrl.hostname}' share the registrable domain '${portal}'; a page of a session could then act as its visitor. Use another registrable domain`;
    });
}

const registrable = (host: string): string => getDomain(host, { allowPrivateDomains: true }) ?? host;
