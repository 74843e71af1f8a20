// A peer that breaks jtun.v1 loses its tunnel, and only its own.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../contract/tunnel.ts';
import { TunnelProtocolError, decode } from '../../server/tunnel/codec.ts';
import { agentHello, openTunnel, type AgentEnd } from '../kit/tunnel-agent.ts';
import { testHub, type TestHub } from '../kit/tunnel-hub.ts';
import { until } from '../kit/until.ts';

let site: TestHub;
beforeEach(async () => {
  site = await testHub();
});
afterEach(() => site.close());

const first: [string, (end: AgentEnd) => void][] = [
  ['a frame before HELLO', (end) => end.send('PING', 0, '12345678')],
  ['CTRL before HELLO', (end) => end.say({ kind: 'phase', phase: 'ready', at: 1 })],
  ['garbage', (end) => end.websocket.send(Buffer.from('\u00ffgarbage and more'))],
  ['an empty message', (end) => end.websocket.send(Buffer.alloc(0))],
  ['HELLO as text', (end) => end.websocket.send('\0'.repeat(8) + JSON.stringify(agentHello))],
  ['CTRL with the body of a HELLO', (end) => end.say(agentHello)],
  ['HELLO that is not JSON', (end) => end.send('HELLO', 0, '{x')],
  ['HELLO without an app', (end) => end.hello({ app: undefined })],
  ['HELLO of another version', (end) => end.hello({ v: 2 })],
  ['HELLO with a window that is too small', (end) => end.hello({ window: limits.payloadBytes - 1 })],
];
test.each(first)('%s, as the first frame', async (_name, send) => {
  const end = await openTunnel(site.port, { key: site.key('ada') });
  send(end);
  expect((await end.closed).code).toBe(1002);
  expect([site.hub.stats().tunnels, site.hub.dial('ada')]).toEqual([0, undefined]);
  expect(site.told.filter((line) => line.startsWith('up'))).toEqual([]);
  expect((await site.tunnel('ada')).isOpen).toBe(true);
});

const later: [string, (end: AgentEnd) => void][] = [
  ['a second HELLO', (end) => end.hello()],
  ['OPEN', (end) => end.send('OPEN', 2, 'app')],
  ['DATA of no stream that was opened', (end) => end.send('DATA', 1, 'x')],
  ['CTRL that is not JSON', (end) => end.send('CTRL', 0, '{x')],
  ['PING as text', (end) => end.websocket.send('\u0006\0\0\0\0\0\0\x0012345678')],
  [
    'a frame one byte past its limit',
    (end) => end.websocket.send(Buffer.alloc(limits.payloadBytes + 9, '\u0002\0\0\0\0\0\0\u0001')),
  ],
];
test.each(later)('%s, later', async (_name, send) => {
  const end = await site.tunnel('ada');
  const other = await site.tunnel('bela');
  send(end);
  expect((await end.closed).code).toBe(1002);
  await until(() => site.told.at(-1)!.startsWith('down ada: '), 'the loss is told');
  expect([site.hub.dial('ada') !== undefined, site.hub.dial('bela') !== undefined, other.isOpen]).toEqual([
    false,
    true,
    true,
  ]);
});

test('whatever bytes come: the tunnel ends with 1002, the others live', async () => {
  const other = await site.tunnel('bela');
  const refused = fc.uint8Array({ maxLength: 64 }).filter((bytes) => {
    try {
      return decode(Buffer.from(bytes)).type === 'HELLO'; // not an agent's, in so few bytes
    } catch (error) {
      return error instanceof TunnelProtocolError;
    }
  });
  await fc.assert(
    fc.asyncProperty(refused, fc.boolean(), async (bytes, said) => {
      const end = said ? await site.tunnel('ada') : await openTunnel(site.port, { key: site.key('ada') });
      end.websocket.send(bytes);
      expect((await end.closed).code).toBe(1002);
      expect(site.hub.dial('ada') !== undefined).toBe(false);
    }),
    { numRuns: 40 },
  );
  await other.settled();
});

test('a message past 1 MiB ends the tunnel before it is read', async () => {
  const end = await site.tunnel('ada');
  end.websocket.send(Buffer.alloc(limits.messageBytes + 1));
  await end.closed;
  await until(() => site.hub.dial('ada') === undefined, 'the tunnel is down');
  expect(site.told.at(-1)).toBe('down ada: Max payload size exceeded');
});
