// Reaches the embedded issuer over the control socket: its public name need not resolve on the server itself.
import { request } from 'node:http';

export interface SelfRequest {
  method: string;
  headers: Record<string, string>;
  body?: unknown;
}

/**
 * @param socketPath unix socket that serves /iam
 * @returns a fetch that sends every request there, with the Host and scheme of its URL
 */
export function makeSelfFetch(socketPath: string): (url: string, options: SelfRequest) => Promise<Response> {
  return (url, options) =>
    new Promise((resolve, reject) => {
      const target = new URL(url);
      const body = options.body instanceof URLSearchParams ? options.body.toString() : options.body;
      const headers = {
        ...options.headers,
        host: target.host,
        'x-forwarded-proto': target.protocol.slice(0, -1),
        'x-forwarded-host': target.host,
      };
      const call = request(
        { socketPath, method: options.method, path: target.pathname + target.search, headers, timeout: 10_000 },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const answered = new Headers();
            for (const [name, value] of Object.entries(response.headers))
              if (value !== undefined) answered.set(name, String(value));
            const status = response.statusCode ?? 502;
            resolve(
              new Response([204, 304].includes(status) ? null : Buffer.concat(parts), { status, headers: answered }),
            );
          });
        },
      );
      call.on('timeout', () => call.destroy(new TypeError('no answer')));
      call.on('error', (error) => reject(new TypeError('fetch failed', { cause: error })));
      if (typeof body === 'string' || body instanceof Uint8Array) call.write(body);
      call.end();
    });
}
