// Our cookies: Secure, HttpOnly, Path=/, SameSite=Lax, `__Host-` names (RFC 6265bis 4.1.3.2).
import type { IncomingMessage } from 'node:http';
import { parseCookie } from 'cookie';

/** Base names; on the wire they carry the prefix `__Host-`, or, in the plain form, the port. */
export type CookieName = 'ls-login' | 'ls' | 'ls-state' | 'ls-pending';

export interface CookieJar {
  /** @returns the value, the `__Host-` form first */
  read(request: IncomingMessage, name: CookieName): string | undefined;
  /** @returns whether the browser keeps only the plain form of a cookie that was set in both */
  keepsPlainOnly(request: IncomingMessage, name: CookieName): boolean;
  /** @returns Set-Cookie values that set the cookie; maxAgeSeconds 0 expires it */
  set(name: CookieName, value: string, maxAgeSeconds: number, form?: 'host' | 'plain'): string[];
  /** Both wire names of a cookie, for stripping. */
  wireNames(name: CookieName): string[];
}

/**
 * @param publicUrl decides whether the plain form exists: only on http loopback, for browsers that refuse `__Host-` there
 */
export function makeCookieJar(publicUrl: URL): CookieJar {
  const plainAllowed = publicUrl.protocol === 'http:';
  const plain = (name: CookieName): string => `${name}-${publicUrl.port || '80'}`;
  const host = (name: CookieName): string => `__Host-${name}`;
  return {
    read(request, name) {
      const cookies = cookiesOf(request);
      return cookies.get(host(name)) ?? (plainAllowed ? cookies.get(plain(name)) : undefined);
    },
    keepsPlainOnly(request, name) {
      const cookies = cookiesOf(request);
      return plainAllowed && !cookies.has(host(name)) && cookies.has(plain(name));
    },
    set(name, value, maxAgeSeconds, form = 'host') {
      const rules = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}`;
      if (maxAgeSeconds === 0) {
        return [`${host(name)}=; ${rules}; Secure`, ...(plainAllowed ? [`${plain(name)}=; ${rules}`] : [])];
      }
      if (form === 'plain' && plainAllowed) return [`${plain(name)}=${value}; ${rules}`];
      return [`${host(name)}=${value}; ${rules}; Secure`];
    },
    wireNames: (name) => (plainAllowed ? [host(name), plain(name)] : [host(name)]),
  };
}

/** @returns all cookies of a request by name; the first of equal names wins */
export function cookiesOf(request: IncomingMessage): Map<string, string> {
  const header = request.headers.cookie;
  if (header === undefined) return new Map();
  return new Map(Object.entries(parseCookie(header)).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
