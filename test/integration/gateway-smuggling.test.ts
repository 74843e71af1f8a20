// Requests that two parsers could read differently: none of them reaches the app as something that its sender did not mean.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { entrySecret, testGateway, type TestGateway } from '../kit/gateway.ts';
import { sendRaw } from '../kit/http.ts';

let site: TestGateway;
beforeEach(async () => {
  site = await testGateway();
});
afterEach(() => site.close());

/** Sends a request with these lines, as a page of the session, and returns all that comes back. */
const raw = (method: string, lines: string[], body: string): Promise<string> =>
  sendRaw(
    site.port,
    [
      `${method} /first HTTP/1.1`,
      `Host: ${site.host}:${site.port}`,
      `Origin: ${site.origin}`,
      `Cookie: __Host-ls=${entrySecret}`,
      ...lines,
      '',
      body,
    ].join('\r\n'),
  );
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: app\r\nX-Linkspan-Role: admin\r\n\r\n';
const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
const paths = (): string[] => site.app.seen.map(({ url }) => url);

test.each([
  ['DELETE', ['Transfer-Encoding: chunked', 'Connection: close'], chunked],
  ['OPTIONS', ['Transfer-Encoding: chunked', 'Connection: close'], chunked],
  ['GET', [`Content-Length: ${smuggled.length}`, 'Connection: close, content-length'], smuggled],
  ['POST', [`Content-Length: ${smuggled.length}`, 'Connection: Content-Length, close'], smuggled],
  ['POST', ['Transfer-Encoding: chunked', 'Connection: close, transfer-encoding'], chunked],
])('%s with %j is refused: headers-refused', async (method, lines, body) => {
  const answer = await raw(method, lines, body);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain('headers-refused');
  expect(paths()).toEqual([]);
});

test.each(['host', 'cookie', 'origin', 'expect', 'sec-fetch-site'])('Connection cannot drop %s', async (name) => {
  expect(await raw('GET', [`Connection: close, ${name}`], '')).toContain('headers-refused');
});

test.each(['GET', 'POST', 'PUT', 'PATCH'])('a chunked body of %s stays one body', async (method) => {
  const answer = await raw(method, ['Transfer-Encoding: chunked', 'Connection: close'], chunked);
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(paths()).toEqual(['/first']);
  expect(site.app.seen[0]!.body).toBe(smuggled);
});

test.each(['GET', 'DELETE', 'OPTIONS', 'POST'])('a body of %s with a length stays one body', async (method) => {
  await raw(method, [`Content-Length: ${smuggled.length}`, 'Connection: close'], smuggled);
  expect(paths()).toEqual(['/first']);
  expect(site.app.seen[0]!.body).toBe(smuggled);
});
