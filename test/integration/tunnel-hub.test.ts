// Tunnels over real sockets: the handshake and its refusals, silence, replacement, CTRL, the way to the app.
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Hello, limits } from '../../contract/tunnel.ts';
import { agentHello, dialTunnel, enrol, hashOf, openTunnel, refusedTunnel } from '../kit/tunnel-agent.ts';
import { testHub, type TestHub } from '../kit/tunnel-hub.ts';
import { until } from '../kit/until.ts';

let site: TestHub;
const closers: (() => void)[] = [];
beforeEach(async () => {
  site = await testHub();
});
afterEach(async () => {
  closers.splice(0).forEach((close) => close());
  await site.close();
});

/** An app behind a tunnel that says its name. */
function app(name: string, answer?: http.RequestListener): http.Server {
  const server = http.createServer(answer ?? ((_request, response) => response.end(name)));
  closers.push(() => server.close());
  return server;
}

/** GET through the tunnel of a session. */
function get(session: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { agent } = site.hub.dial(session)!;
    const request = http.get({ agent, path: '/' }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** A handshake without a websocket behind it. */
const handshake = (key: string): string =>
  [
    'GET /tunnel/v1 HTTP/1.1',
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: jtun.v1',
    'X-Jtun-Epoch: 1',
    `Authorization: Bearer ${key}`,
    '\r\n',
  ].join('\r\n');

describe('handshake', () => {
  test('a known key is let in; the first frame is the HELLO of the gateway', async () => {
    const end = await site.tunnel('ada');
    expect([end.headers['x-jtun-new'], end.headers['sec-websocket-protocol']]).toEqual(['1', 'jtun.v1']);
    expect(end.headers['sec-websocket-extensions']).toBeUndefined();
    expect(end.frames[0]!.type).toBe('HELLO');
    expect(Hello.parse(JSON.parse(end.frames[0]!.payload.toString()))).toEqual({
      v: 1,
      window: limits.initialWindowBytes,
      maxStreams: limits.streamsPerTunnel,
    });
    expect([site.hub.dial('ada') !== undefined, site.hub.stats()]).toEqual([true, { tunnels: 1, streams: 0 }]);
    expect(site.hub.dial('ada')).toMatchObject({ secret: agentHello.app.secret, kind: 'jupyterlab' });
    expect(site.hub.dial('bela')).toBeUndefined();
  });

  test('an unknown key is refused: tunnel-key-unknown', async () => {
    site.key('ada');
    expect(await refusedTunnel(site.port, { key: 'u'.repeat(43) })).toEqual([401, 'tunnel-key-unknown']);
  });

  test('the hash of a key is no key', async () => {
    const key = site.key('ada');
    expect(await refusedTunnel(site.port, { key: hashOf(key) })).toEqual([401, 'tunnel-key-unknown']);
  });

  test('the key of an ended session is refused: session-ended', async () => {
    const key = site.key('ada');
    site.keys.set(key, 'ended');
    expect(await refusedTunnel(site.port, { key })).toEqual([410, 'session-ended']);
  });

  test.each([
    ['without a key', { key: undefined }],
    ['with a key that is too short', { key: 'k'.repeat(31) }],
    ['with a key that is too long', { key: 'k'.repeat(129) }],
    [
      'with another scheme',
      { key: undefined, headers: { authorization: 'Basic a2tra2s6a2tra2tra2tra2tra2tra2tra2tra2tra2s=' } },
    ],
    ['without an epoch', { epoch: null }],
    ['with epoch 0', { epoch: '0' }],
    ['with a negative epoch', { epoch: '-1' }],
    ['with half an epoch', { epoch: '1.5' }],
    ['with a word for an epoch', { epoch: 'first' }],
    ['without the subprotocol', { protocols: [] }],
    ['with a later subprotocol only', { protocols: ['jtun.v2'] }],
  ])('%s it is refused: tunnel-protocol', async (_name, dial) => {
    const key = site.key('ada');
    expect(await refusedTunnel(site.port, { key, ...dial } as never)).toEqual([400, 'tunnel-protocol']);
    (await openTunnel(site.port, { key, protocols: ['jtun.v2', 'jtun.v1'] })).close();
  });

  test('an epoch lower than the one of the enrolment is refused: epoch-superseded', async () => {
    const key = site.key('ada');
    site.keys.set(key, { session: 'ada', epoch: 5 });
    expect(await refusedTunnel(site.port, { key, epoch: '4' })).toEqual([409, 'epoch-superseded']);
    (await openTunnel(site.port, { key, epoch: '5' })).close();
  });

  test('an epoch that was never given out is refused, and does not lock out the right one', async () => {
    const key = site.key('ada');
    expect(await refusedTunnel(site.port, { key, epoch: '9' })).toEqual([400, 'tunnel-protocol']);
    (await openTunnel(site.port, { key, epoch: '1' })).close();
  });

  test('after 30 failures an address is slowed down, with Retry-After; good keys and other addresses are not', async () => {
    const key = site.key('ada');
    const bad = (address: string) =>
      dialTunnel(site.port, { key: 'u'.repeat(43), headers: { 'x-test-address': address } });
    for (let n = 0; n < 29; n++) expect(await bad('192.0.2.1')).toMatchObject({ status: 401 });
    expect((await enrol(site.port, { token: 't'.repeat(43), keyHash: hashOf('x') })).status).toBe(401);
    expect(await bad('192.0.2.1')).toMatchObject({
      status: 429,
      code: 'rate-limited',
      headers: { 'retry-after': '30' },
    });
    const answer = await enrol(site.port, { token: 't'.repeat(43), keyHash: hashOf('x') });
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '30']);
    expect(await bad('192.0.2.2')).toMatchObject({ status: 401 });
    (await openTunnel(site.port, { key })).close();
  });

  test('only keys and tokens that are unknown count as failures', async () => {
    site.enrolment = 'enrolment-conflict';
    const key = site.key('ada');
    site.keys.set(key, 'ended');
    for (let n = 0; n < 31; n++) {
      expect((await enrol(site.port, { token: 't'.repeat(43), keyHash: hashOf('x') })).status).toBe(409);
      expect((await refusedTunnel(site.port, { key }))[0]).toBe(410);
    }
    expect(await refusedTunnel(site.port, { key: 'u'.repeat(43) })).toEqual([401, 'tunnel-key-unknown']);
  });

  test.each(['known', 'unknown'])(
    'a connection that is reset while its key, %s, is looked up harms nobody',
    async (kind) => {
      const key = kind === 'known' ? site.key('ada') : 'u'.repeat(43);
      let open = (): void => undefined;
      site.gate = new Promise((resolve) => (open = resolve));
      for (let n = 1; n <= 10; n++) {
        const socket = net.connect(site.port, '127.0.0.1');
        socket.write(handshake(key));
        await until(() => site.asked === n, 'the key is looked up');
        socket.resetAndDestroy();
        await new Promise((resolve) => socket.once('close', resolve));
      }
      open();
      // Without its listener an error of such a socket would end the process.
      expect((await site.tunnel('bela')).isOpen).toBe(true);
      await until(() => site.hub.stats().tunnels === 1, 'nothing is left of them');
    },
  );
});

describe('life', () => {
  test('without HELLO within 10 s the connection is closed', async () => {
    const end = await openTunnel(site.port, { key: site.key('ada') });
    site.clock.advance(limits.handshakeSeconds * 1000 - 1);
    expect(site.hub.stats().tunnels).toBe(1);
    site.clock.advance(1);
    expect(await end.closed).toEqual({ code: 1002, reason: 'no HELLO' });
    expect(site.hub.stats().tunnels).toBe(0);
  });

  test('a tunnel that says nothing for 45 s is cut; any frame keeps it', async () => {
    const end = await site.tunnel('ada');
    site.clock.advance(limits.silenceSeconds * 1000 - 1);
    await end.settled();
    site.clock.advance(limits.silenceSeconds * 1000 - 1);
    expect(site.hub.dial('ada') !== undefined).toBe(true);
    site.clock.advance(1);
    expect(site.told.at(-1)).toBe('down ada: silent');
    expect((await end.closed).code).toBe(1006);
  });

  test('a peer that does not answer the close is cut 2 s later', async () => {
    const socket = net.connect(site.port, '127.0.0.1');
    closers.push(() => socket.destroy());
    let got = Buffer.alloc(0);
    socket.on('data', (part) => (got = Buffer.concat([got, part])));
    socket.write(handshake(site.key('ada')));
    await until(() => site.hub.stats().tunnels === 1, 'the connection is there');
    site.hub.drop('ada', 'the session has ended');
    expect(site.told).toEqual(['down ada: the session has ended']);
    await until(() => got.includes('the session has ended'), 'the close frame');
    site.clock.advance(1999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(socket.readyState).toBe('open');
    site.clock.advance(1);
    await until(() => socket.readyState !== 'open', 'the socket is cut', 5);
    expect(site.clock.timers).toBe(0);
  });

  test('a second tunnel of a session replaces the first, without telling a loss', async () => {
    const old = await site.tunnel('ada');
    old.serve(app('the old one'));
    expect(await get('ada')).toBe('the old one');
    const next = await site.tunnel('ada');
    next.serve(app('the new one'));
    expect(await old.closed).toEqual({ code: 1001, reason: 'replaced by a newer connection' });
    expect(site.told).toEqual(['up ada', 'up ada']);
    expect(site.hub.stats().tunnels).toBe(1);
    // No idle socket of the old tunnel is used again.
    expect(await get('ada')).toBe('the new one');
    next.close();
    await until(() => site.told.length > 2, 'the loss of the new one is told');
    expect(site.told.at(-1)).toMatch(/^down ada: closed/);
    expect(site.hub.stats().tunnels).toBe(0);
  });

  test('CTRL of a known kind is told on, any other is ignored, and the tunnel goes on', async () => {
    const end = await site.tunnel('ada');
    end.say({ kind: 'phase', phase: 'ready', at: 1 });
    end.say({ kind: 'party', at: 1 });
    end.say({ kind: 'phase', phase: 'sleeping', at: 1 });
    end.send('CTRL', 0, '[]');
    end.say({ kind: 'exit', at: 1, code: 0, signal: null, cause: 'app' });
    await end.settled();
    expect(site.told).toEqual(['up ada', 'ctrl ada phase', 'ctrl ada exit']);
  });

  test('a message reaches the agent of its session only; without a tunnel the sender knows', async () => {
    const [ada, bela] = [await site.tunnel('ada'), await site.tunnel('bela')];
    expect(site.hub.send('ada', { kind: 'stop', graceSeconds: 10 })).toBe(true);
    await Promise.all([ada.settled(), bela.settled()]);
    expect([ada.heard(), bela.heard()]).toEqual([[{ kind: 'stop', graceSeconds: 10 }], []]);
    expect(site.hub.send('cora', { kind: 'stop', graceSeconds: 10 })).toBe(false);
  });

  test('a gateway that goes away says GOAWAY before it closes with 1001', async () => {
    const end = await site.tunnel('ada');
    site.hub.close();
    expect((await end.closed).code).toBe(1001);
    expect(end.of('GOAWAY').map((payload) => payload.readUInt32BE(0))).toEqual([1]);
    expect([site.hub.dial('ada') !== undefined, site.hub.stats().tunnels]).toEqual([false, 0]);
  });
});

describe('the way to the app', () => {
  test('requests go to the app of their own session, many at once', async () => {
    for (const name of ['ada', 'bela']) (await site.tunnel(name)).serve(app(`app of ${name}`));
    const asked = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? 'ada' : 'bela'));
    const said = await Promise.all(asked.map(get));
    expect(said).toEqual(asked.map((name) => `app of ${name}`));
  });

  test('a request that is under way when the tunnel is lost fails, and the next waits for no dead stream', async () => {
    let reached = false;
    const end = await site.tunnel('ada');
    end.serve(app('', () => (reached = true)));
    const asked = get('ada').catch((error: NodeJS.ErrnoException) => error.code);
    await until(() => reached, 'the request is at the app');
    end.close();
    expect(await asked).toBe('ECONNRESET');
    expect(site.hub.stats()).toEqual({ tunnels: 0, streams: 0 });
  });
});
