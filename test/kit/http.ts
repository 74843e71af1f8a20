// A client with a cookie jar per host, which follows redirects and says any Host: what a browser does, without a browser.
import http from 'node:http';
import net from 'node:net';

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  json<T = Record<string, unknown>>(): T;
  /** Where the last request went. */
  url: URL;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Record<string, unknown>;
  /** How many redirects to follow; 0 by default. */
  follow?: number;
  /** True: say what a browser says when a person follows a link. */
  navigate?: boolean;
}

export class Client {
  /** Cookies by host name. */
  readonly jar = new Map<string, Map<string, string>>();
  readonly #port: number;
  readonly #others: readonly number[];

  /**
   * @param port of 127.0.0.1 that every name leads to
   * @param others ports that are meant when an address names them: those of an issuer
   */
  constructor(port: number, others: readonly number[] = []) {
    this.#port = port;
    this.#others = others;
  }

  async get(url: string, ask: Ask = {}): Promise<Answer> {
    return await this.ask(url, { method: 'GET', ...ask });
  }

  /** JSON from the page of the same origin. */
  async post(url: string, body: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.ask(url, { method: 'POST', body, headers: { origin: new URL(url).origin, ...headers } });
  }

  async ask(url: string, { method = 'GET', headers = {}, body, follow = 0, navigate = false }: Ask): Promise<Answer> {
    const target = new URL(url);
    const payload = typeof body === 'object' ? JSON.stringify(body) : body;
    const cookie = this.cookieHeader(target.hostname);
    const said = {
      host: target.host,
      ...(cookie === '' ? {} : { cookie }),
      ...(navigate ? { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' } : {}),
      ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
      ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
      ...headers,
    };
    const port = this.#others.find((other) => String(other) === target.port) ?? this.#port;
    const answer = await send(port, method, target, said, payload);
    this.#keep(target.hostname, answer.headers['set-cookie'] ?? []);
    const { location } = answer.headers;
    if (follow > 0 && location !== undefined && answer.status >= 300 && answer.status < 400)
      return await this.ask(new URL(location, target).href, {
        follow: follow - 1,
        navigate,
        headers: onlyFetch(headers),
      });
    return answer;
  }

  cookieHeader(host: string): string {
    return [...(this.jar.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #keep(host: string, lines: string[]): void {
    const cookies = this.jar.get(host) ?? new Map<string, string>();
    this.jar.set(host, cookies);
    for (const line of lines) {
      const [pair = '', ...rules] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      if (rules.some((rule) => /^max-age=0$/i.test(rule) || /^expires=thu, 01 jan 1970/i.test(rule)))
        cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }
}

const onlyFetch = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('sec-fetch') || name === 'user-agent'));

export function send(
  port: number,
  method: string,
  target: URL,
  headers: Record<string, string>,
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port, method, path: target.pathname + target.search, headers, setHost: false },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: <T>() => JSON.parse(text) as T,
            url: target,
          });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Sends bytes as they are and returns everything that comes back until the peer closes or `seconds` pass. */
export function sendRaw(port: number, bytes: string, seconds = 5): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    const end = setTimeout(() => socket.destroy(), seconds * 1000);
    socket.on('data', (part) => (text += part.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(end);
      resolve(text);
    });
  });
}
