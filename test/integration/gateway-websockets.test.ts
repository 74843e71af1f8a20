// Websockets through a session host: they are piped as they are, and end when a right or a session ends.
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { entrySecret, testGateway, type TestGateway } from '../kit/gateway.ts';
import { until } from '../kit/until.ts';

let site: TestGateway;
beforeEach(async () => {
  site = await testGateway();
});
afterEach(() => site.close());

test('text and binary messages come back as they were', async () => {
  const socket = (await site.websocket()) as WebSocket;
  const got: [string, boolean][] = [];
  socket.on('message', (data, binary) => got.push([(data as Buffer).toString('latin1'), binary]));
  socket.send('hello');
  socket.send(Buffer.from([0, 255]));
  await until(() => got.length === 2, 'two messages');
  expect(got).toEqual([
    ['hello', false],
    ['\u0000\u00ff', true],
  ]);
  socket.close();
});

test('the subprotocol and who it is reach the app', async () => {
  const socket = (await site.websocket({ protocol: 'chat', headers: { 'x-linkspan-role': 'admin' } })) as WebSocket;
  expect(site.app.upgrades[0]!.headers).toMatchObject({
    'sec-websocket-protocol': 'chat',
    'x-linkspan-role': 'owner',
    'x-linkspan-secret': 'app-secret',
  });
  expect(site.app.upgrades[0]!.headers.cookie).toBeUndefined();
  socket.close();
});

test('a refusal of the app reaches the browser', async () => {
  expect(await site.websocket({ path: '/ws/refuse' })).toBe(403);
});

test.each<[string, () => void, number]>([
  ['session', () => site.end({ sessionId: 'aaaaaaaaaaaaaaaa' }), 4410],
  ['login', () => site.end({ loginId: 'l1' }), 4403],
  ['entry', () => site.end({ entryId: 'e1' }), 4403],
])('the end of a %s closes its websockets', async (_what, end, code) => {
  const socket = (await site.websocket()) as WebSocket;
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  site.end({ loginId: 'another' });
  end();
  expect(await closed).toBe(code);
  await until(() => site.gateway.stats().open === 0, 'nothing is left');
});

test('a session that stops closes its websockets with 1001 and takes no more requests', async () => {
  const socket = (await site.websocket()) as WebSocket;
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  expect(site.gateway.closeSession(site.session.id)).toEqual({ hadWebsockets: true });
  expect(await closed).toBe(1001);
  expect(await site.websocket()).toBe(503);
  expect((await site.client().get(`${site.origin}/look`)).status).toBe(503);
});

test('an upgrade that is reset at any moment leaves the server alive', async () => {
  const head = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: ${site.host}:${site.port}\r\nOrigin: ${site.origin}\r\nCookie: __Host-ls=${entrySecret}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
  for (let round = 0; round < 40; round++) {
    const socket = net.connect(site.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(head(round % 2 ? '/ws/never' : '/ws'));
    await new Promise((resolve) => (round % 4 < 2 ? setImmediate(resolve) : socket.once('connect', resolve)));
    socket.resetAndDestroy();
  }
  expect((await site.client().get(`${site.origin}/look`)).status).toBe(200);
  await until(() => site.gateway.stats().open === 0, 'no websocket is left');
});

test('a browser that leaves before the 101 takes the attempt at the app with it', async () => {
  const socket = net.connect(site.port, '127.0.0.1');
  socket.write(
    `GET /ws/never HTTP/1.1\r\nHost: ${site.host}:${site.port}\r\nOrigin: ${site.origin}\r\nCookie: __Host-ls=${entrySecret}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  await until(() => site.app.sockets.size === 1, 'the attempt');
  socket.destroy();
  await until(() => site.app.sockets.size === 0, 'the end of the attempt');
});

test('an upgrade that is under way ends with the login too', async () => {
  const socket = net.connect(site.port, '127.0.0.1');
  socket.write(
    `GET /ws/never HTTP/1.1\r\nHost: ${site.host}:${site.port}\r\nOrigin: ${site.origin}\r\nCookie: __Host-ls=${entrySecret}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await until(() => site.app.sockets.size === 1, 'the attempt');
  site.end({ loginId: 'l1' });
  await closed;
  await until(() => site.app.sockets.size === 0 && site.gateway.stats().open === 0, 'nothing is left');
});

test('a websocket whose right ended while the app was opening it is closed', async () => {
  const opening = site.websocket({ path: '/ws/late' });
  await until(() => site.app.sockets.size === 1, 'the attempt');
  site.admits = false;
  site.app.letIn();
  const socket = (await opening) as WebSocket;
  expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(4403);
});

test('an answer that is still coming ends with the login', async () => {
  const request = http.get({
    host: '127.0.0.1',
    port: site.port,
    path: '/stream',
    headers: { host: `${site.host}:${site.port}`, cookie: `__Host-ls=${entrySecret}` },
  });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) =>
    request.once('response', resolve).once('error', reject),
  );
  const ended = new Promise<boolean>((resolve) => response.once('close', () => resolve(response.complete)));
  response.on('error', () => undefined).resume();
  site.end({ loginId: 'another' });
  expect(site.gateway.stats().open).toBe(1);
  site.end({ loginId: 'l1' });
  expect(await ended).toBe(false);
  await until(() => site.app.aborted.includes('/stream') && site.gateway.stats().open === 0, 'nothing is left');
});

test('a page that was closed just before a stop counts as one that may have left an edit', async () => {
  const socket = (await site.websocket()) as WebSocket;
  expect(site.gateway.stats().open).toBe(1);
  socket.close();
  await until(() => site.gateway.stats().open === 0, 'it is closed');
  expect(site.gateway.closeSession(site.session.id)).toEqual({ hadWebsockets: true });
  site.clock.advance(2000);
  expect(site.gateway.closeSession(site.session.id)).toEqual({ hadWebsockets: false });
});
