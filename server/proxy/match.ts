// Which part answers: by Host, before Express (RFC 9110 7.2). Names are compared without case and trailing dot, ports exactly.
import type { IncomingMessage } from 'node:http';

export type Match =
  | { part: 'portal' }
  | { part: 'tunnel' }
  | { part: 'session'; host: string }
  | { part: 'unknown' }
  | { part: 'malformed' };

export interface MatchOptions {
  publicUrl: URL;
  /** What agents dial. */
  agentUrls: readonly URL[];
  sessionDomain: string;
  sessionHosts: readonly string[];
}

export function makeMatch(options: MatchOptions): (request: IncomingMessage) => Match {
  const portal = authority(options.publicUrl);
  const agents = new Set([portal, ...options.agentUrls.map(authority)]);
  const pool = new Set(options.sessionHosts);
  const port = effectivePort(options.publicUrl);
  const scheme = options.publicUrl.protocol;
  const suffix = `.${options.sessionDomain}`;
  return (request) => {
    const target = request.url ?? '';
    // Absolute-form targets are for proxies; we are none (RFC 9112 3.2.2).
    if (!target.startsWith('/')) return { part: 'malformed' };
    const names = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
    const parsed = names.length === 1 ? parseHost(request.headers.host ?? '', scheme) : undefined;
    if (!parsed) return { part: 'malformed' };
    const host = `${parsed.name}:${parsed.port}`;
    if (isTunnelPath(target) && agents.has(host)) return { part: 'tunnel' };
    if (host === portal) return { part: 'portal' };
    if (parsed.port !== port) return { part: 'unknown' };
    if (pool.size > 0 ? pool.has(parsed.name) : isSessionName(parsed.name, suffix))
      return { part: 'session', host: parsed.name };
    return { part: 'unknown' };
  };
}

/** One label below the session domain. */
const isSessionName = (name: string, suffix: string): boolean =>
  name.endsWith(suffix) && /^[a-z0-9-]{1,63}$/.test(name.slice(0, -suffix.length));

const isTunnelPath = (target: string): boolean => /^\/tunnel\/v1(?:\/enrol)?(?:\?|$)/.test(target);

const effectivePort = (url: URL): string => url.port || (url.protocol === 'https:' ? '443' : '80');
const authority = (url: URL): string => `${url.hostname.toLowerCase()}:${effectivePort(url)}`;

/** @returns name and port of a Host header; undefined when it is no host */
export function parseHost(text: string, scheme: string): { name: string; port: string } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?$/i.exec(text);
  if (!match?.[1]) return undefined;
  const name = match[1].toLowerCase().replace(/\.$/, '');
  if (name === '' || name.includes('..') || name.startsWith('.')) return undefined;
  return { name, port: match[2] === undefined ? (scheme === 'https:' ? '443' : '80') : String(Number(match[2])) };
}
