// /healthz: the process lives. /readyz: every named check says yes. They answer any Host.
import type { IncomingMessage, ServerResponse } from 'node:http';

export type Check = () => boolean | Promise<boolean>;

/** @returns whether the request was one of the two and has been answered */
export async function answerHealth(
  request: IncomingMessage,
  response: ServerResponse,
  checks: Record<string, Check>,
): Promise<boolean> {
  const path = request.url?.split('?')[0];
  if (path !== '/healthz' && path !== '/readyz') return false;
  const missing: string[] = [];
  if (path === '/readyz') {
    for (const [name, check] of Object.entries(checks)) {
      const ok = await Promise.resolve()
        .then(check)
        .catch(() => false);
      if (!ok) missing.push(name);
    }
  }
  const body = JSON.stringify(missing.length === 0 ? { status: 'ok' } : { status: 'not ready', missing });
  response.writeHead(missing.length === 0 ? 200 : 503, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
  return true;
}
