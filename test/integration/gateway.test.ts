// What may reach an app through a session host, as whom, and what comes back.
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { entrySecret, testGateway, type TestGateway } from '../kit/gateway.ts';
import { Client, sendRaw } from '../kit/http.ts';
import type { Seen } from '../kit/mirror.ts';
import { until } from '../kit/until.ts';

let site: TestGateway;
beforeEach(async () => {
  site = await testGateway();
});
afterEach(() => site.close());

const seen = async (headers: Record<string, string> = {}, client = site.client()): Promise<Seen> =>
  (await client.get(`${site.origin}/look?q=%2f..%2f&q=a+b`, { headers })).json<Seen>();

describe('guard', () => {
  // Each line: what is said besides a good entry, and the code; the same request without it passes.
  test.each<[string, string, Record<string, string>, string]>([
    [
      'a fetch of another site',
      'GET',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
      'cross-site-refused',
    ],
    [
      'a fetch of a sibling host',
      'GET',
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' },
      'cross-site-refused',
    ],
    [
      'a frame on another site',
      'GET',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      'cross-site-refused',
    ],
    ['an Origin that is not this host', 'GET', { origin: 'http://localhost' }, 'cross-site-refused'],
    ['the Origin null', 'GET', { origin: 'null' }, 'cross-site-refused'],
    [
      'a form posted from another site',
      'POST',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', origin: 'null' },
      'cross-site-refused',
    ],
    [
      'a service worker',
      'GET',
      { 'service-worker': 'script', 'sec-fetch-site': 'same-origin' },
      'service-worker-refused',
    ],
    ['an unknown transfer coding', 'POST', { 'transfer-encoding': 'gzip, chunked' }, 'headers-refused'],
  ])('refuses %s', async (_name, method, headers, code) => {
    const good: Record<string, string> = method === 'POST' ? { 'sec-fetch-site': 'same-origin' } : {};
    expect((await site.client().ask(site.origin, { method, headers: good })).status).toBe(200);
    const answer = await site.client().ask(`${site.origin}/x`, { method, headers: { ...good, ...headers } });
    expect(answer.text).toContain(code);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s needs a proof of its origin', async (method) => {
    const ask = (headers: Record<string, string>) => site.client().ask(`${site.origin}/x`, { method, headers });
    const bare = await ask({});
    expect([bare.status, bare.json()['code']]).toEqual([403, 'cross-site-refused']);
    expect((await ask({ origin: site.origin })).status).toBe(200);
    expect((await ask({ 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  test('a link on another site may be followed', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await site.client().get(`${site.origin}/x`, { headers })).status).toBe(200);
  });

  test('a websocket needs the Origin of its own host', async () => {
    expect(await site.websocket({ headers: { origin: 'http://evil.example' } })).toBe(403);
    expect(await site.websocket({ headers: { origin: 'null' } })).toBe(403);
    expect(await site.websocket({ headers: { origin: `http://s-b.localhost:${site.port}` } })).toBe(403);
    const socket = await site.websocket();
    expect(socket).toBeInstanceOf(WebSocket);
    (socket as WebSocket).close();
  });

  test('a websocket without any Origin is refused', async () => {
    const head = `GET /ws HTTP/1.1\r\nHost: ${site.host}:${site.port}\r\nCookie: __Host-ls=${entrySecret}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`;
    expect(await sendRaw(site.port, `${head}\r\n`, 1)).toMatch(/^HTTP\/1.1 403 /);
    expect(await sendRaw(site.port, `${head}Origin: ${site.origin}\r\n\r\n`, 1)).toMatch(/^HTTP\/1.1 101 /);
  });

  test.each([
    'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
    'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    'Content-Length : 3\r\n\r\nabc',
  ])('ambiguous lengths do not reach the app: %j', async (tail) => {
    const answer = await sendRaw(
      site.port,
      `POST /x HTTP/1.1\r\nHost: ${site.host}:${site.port}\r\nCookie: __Host-ls=${entrySecret}\r\nOrigin: ${site.origin}\r\nConnection: close\r\n${tail}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 4\d\d /);
  });
});

describe('without entry', () => {
  test('a person is sent to the portal, a program is told entry-required', async () => {
    const client = new Client(site.port);
    const person = await client.get(`${site.origin}/lab/tree/a?b=c`, { navigate: true });
    expect(person.status).toBe(303);
    const to = new URL(person.headers.location!);
    expect(to.origin).toBe(`http://localhost:${site.port}`);
    expect(to.pathname).toBe('/enter');
    expect(to.searchParams.get('session')).toBe(site.session.id);
    expect(to.searchParams.get('to')).toBe('/lab/tree/a?b=c');
    const program = await new Client(site.port).get(`${site.origin}/api/contents`);
    expect([program.status, program.json()['code']]).toEqual([401, 'entry-required']);
    expect(await site.websocket({ headers: { cookie: '' } })).toBe(401);
    expect(await site.websocket({ headers: { cookie: `__Host-ls=${'f'.repeat(43)}` } })).toBe(401);
  });

  test('a host without a session says session-not-found', async () => {
    const answer = await new Client(site.port).get(`http://s-other.localhost:${site.port}/`);
    expect([answer.status, answer.json()['code']]).toEqual([404, 'session-not-found']);
  });
});

describe('headers', () => {
  test('the app learns who it is from us, in values that no client can say', async () => {
    const { headers } = await seen({
      'x-linkspan-user': 'u_root',
      'x-linkspan-role': 'admin',
      'x-linkspan-secret': 'guess',
      'x-linkspan-anything': '1',
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'evil',
      'x-real-ip': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      authorization: 'Bearer stolen',
    });
    expect(headers).toMatchObject({
      'x-linkspan-user': 'u_ada',
      'x-linkspan-role': 'owner',
      'x-linkspan-secret': 'app-secret',
      'x-linkspan-name': encodeURIComponent('Ada Löwe'),
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `${site.host}:${site.port}`,
      host: `${site.host}:${site.port}`,
    });
    for (const name of ['authorization', 'forwarded', 'x-real-ip', 'x-linkspan-anything'])
      expect(headers).not.toHaveProperty(name);
  });

  test('headers that Connection names, and hop-by-hop headers, end here', async () => {
    const { headers } = await seen({
      connection: 'close, x-secret-hop',
      'x-secret-hop': '1',
      te: 'trailers',
      'keep-alive': '5',
    });
    for (const name of ['x-secret-hop', 'te', 'keep-alive']) expect(headers).not.toHaveProperty(name);
  });

  test('Connection cannot name away what we say', async () => {
    const { headers } = await seen({ connection: 'x-linkspan-secret, x-linkspan-role' });
    expect(headers).toMatchObject({ 'x-linkspan-secret': 'app-secret', 'x-linkspan-role': 'owner' });
  });

  test("our cookies do not reach the app, the app's own do, byte for byte", async () => {
    const client = site.client();
    const plain = `ls-${site.port}=x; ls-login-${site.port}=y; _xsrf=2|a"b|c; __Host-ls-login=z; __Host-ls-state=q; a=1`;
    const { headers } = (
      await client.get(`${site.origin}/look`, { headers: { cookie: `__Host-ls=${entrySecret}; ${plain}` } })
    ).json<Seen>();
    expect(headers.cookie).toBe('_xsrf=2|a"b|c; a=1');
  });

  test('the path and the query reach the app as they were sent', async () => {
    expect((await seen()).url).toBe('/look?q=%2f..%2f&q=a+b');
  });

  test('an app cannot set our cookies, nor cookies for a parent domain', async () => {
    const query = new URLSearchParams([
      ['set-cookie', '__Host-ls=stolen; Path=/; Secure'],
      ['set-cookie', 'ls-login-8000=x'],
      ['set-cookie', ' ls=x'],
      ['set-cookie', '_xsrf=1; Domain=localhost; Path=/'],
      ['x-linkspan-secret', 'leak'],
    ]);
    const { headers } = await site.client().get(`${site.origin}/headers?${query.toString()}`);
    expect(headers['set-cookie']).toEqual(['_xsrf=1; Path=/']);
    expect(headers).not.toHaveProperty('x-linkspan-secret');
  });

  test('answers may be framed and read by their own host only, and keep their own policy', async () => {
    const bare = await site.client().get(`${site.origin}/headers`);
    expect(bare.headers).toMatchObject({
      'content-security-policy': "frame-ancestors 'self'",
      'cross-origin-resource-policy': 'same-origin',
    });
    const own = await site.client().get(`${site.origin}/headers?content-security-policy=default-src+'self'`);
    expect(own.headers['content-security-policy']).toBe("default-src 'self'; frame-ancestors 'self'");
  });

  test('a redirect to localhost means this host', async () => {
    const { headers } = await site.client().get(`${site.origin}/headers?location=http://localhost:8888/lab`);
    expect(headers.location).toBe(`${site.origin}/lab`);
  });
});

describe('forwarding', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    '%s keeps its method and body',
    async (method) => {
      const body = ['GET', 'HEAD', 'OPTIONS'].includes(method) ? undefined : 'bytes \u0000\u00ff';
      const answer = await site.client().ask(`${site.origin}/look`, {
        method,
        headers: { origin: site.origin },
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBe(200);
      if (method !== 'HEAD') expect(answer.json<Seen>().method).toBe(method);
      if (body !== undefined) expect(Buffer.from(answer.json<Seen>().body, 'latin1').toString('utf8')).toBe(body);
    },
  );

  test.each([201, 204, 304, 400, 401, 404, 418, 500, 503])('status %i of the app stays', async (code) => {
    expect((await site.client().get(`${site.origin}/status?code=${code}`)).status).toBe(code);
  });

  test('8 MiB arrive whole', async () => {
    expect((await site.client().get(`${site.origin}/large`)).text).toHaveLength(8 << 20);
  });

  test('an app that dies in the middle of a body does not look like a clean end', async () => {
    await expect(site.client().get(`${site.origin}/half`)).rejects.toThrow(/aborted|hang up|reset/);
  });

  test('an app that closes instead of answering is app-unreachable', async () => {
    const answer = await site.client().get(`${site.origin}/destroy`);
    expect([answer.status, answer.json()['code']]).toEqual([502, 'app-unreachable']);
  });

  test('a browser that leaves takes its request at the app with it', async () => {
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write(`GET /never HTTP/1.1\r\nHost: ${site.host}:${site.port}\r\nCookie: __Host-ls=${entrySecret}\r\n\r\n`);
    await until(() => site.app.sockets.size === 1, 'the request at the app');
    socket.destroy();
    await until(() => site.app.aborted.includes('/never'), 'the app sees its client leave');
  });
});

describe('pages of states', () => {
  test.each<[string, Partial<TestGateway['session']>, number, string]>([
    ['starting', { state: 'starting', words: 'The application is starting.' }, 503, 'session-not-ready'],
    ['stopping', { state: 'stopping', words: 'Stopping.' }, 503, 'session-not-ready'],
    ['lost', { state: 'lost', words: 'Contact is lost.' }, 503, 'session-lost'],
    ['ended', { state: 'stopped', words: 'Stopped by you.' }, 410, 'session-ended'],
  ])('%s: a page for people, a problem for programs', async (_name, change, status, code) => {
    Object.assign(site.session, change);
    const page = await site.client().get(`${site.origin}/lab`, { navigate: true });
    expect(page.status).toBe(status);
    expect(page.headers['content-type']).toContain('text/html');
    expect(page.text).toContain(change.words);
    expect(page.text).not.toContain('My <lab>');
    expect(page.text).toContain('My &lt;lab&gt;');
    const problem = await site.client().get(`${site.origin}/api/status`);
    expect([problem.status, problem.json()['code']]).toEqual([status, code]);
    expect(await site.websocket()).toBe(status);
    if (status === 503) expect(Number(problem.headers['retry-after'])).toBeGreaterThan(0);
    if (status === 410) expect(page.text).toContain('Start again');
  });

  test('while the tunnel is away programs are told to ask again', async () => {
    site.reachable = false;
    const answer = await site.client().get(`${site.origin}/api/status`);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });
});

describe('our own addresses', () => {
  test('status.json says what the top bar shows, and counts as nobody being there', async () => {
    const answer = await site.client().get(`${site.origin}/.linkspan/status.json`);
    expect(answer.json()).toMatchObject({ state: 'ready', title: 'My <lab>', endsAt: null });
    expect(site.persons).toEqual([]);
  });

  test('here says that a person is there; by POST only', async () => {
    const get = await site.client().get(`${site.origin}/.linkspan/here`);
    expect([get.status, get.json()['code']]).toEqual([405, 'method-not-allowed']);
    expect((await site.client().post(`${site.origin}/.linkspan/here`)).status).toBe(204);
    expect(site.persons).toEqual([site.session.id]);
  });

  test('what is not ours is not the app either', async () => {
    const answer = await site.client().get(`${site.origin}/.linkspan/other`);
    expect([answer.status, answer.json()['code']]).toEqual([404, 'not-found']);
  });

  test('polling by Lab is nobody, opening a page is somebody', async () => {
    await site.client().get(`${site.origin}/api/sessions?1700000000000`);
    expect(site.persons).toEqual([]);
    await site.client().get(`${site.origin}/lab`, { navigate: true });
    expect(site.persons).toEqual([site.session.id]);
  });
});
