/**
 * A path that a redirect may lead to: one leading slash, nothing that a browser would read as another host.
 * @returns the path, or '/' when it is anything else
 */
export function safePath(text: unknown): string {
  if (typeof text !== 'string' || text.length > 2000 || !/^\/(?![/\\])/.test(text) || /[\p{Cc}\\]/u.test(text))
    return '/';
  try {
    const url = new URL(text, 'http://x.invalid');
    return url.host === 'x.invalid' && url.pathname.startsWith('/') && !url.pathname.startsWith('//')
      ? url.pathname + url.search + url.hash
      : '/';
  } catch {
    return '/';
  }
}
