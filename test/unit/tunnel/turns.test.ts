// What one stream may cost the others: nothing when it is refused, no more than its turn when it sends, a bounded memory when nobody reads.
import { expect, test } from 'vitest';
import { limits } from '../../../contract/tunnel.ts';
import { muxProbe } from '../../kit/tunnel-mux.ts';

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('a refused stream sends nothing, also when it is written to at once', async () => {
  const gateway = muxProbe('gateway', { peerStreams: 1 });
  gateway.mux.open('app');
  const refused = gateway.mux.open('app');
  refused.on('error', () => undefined);
  refused.write('GET / HTTP/1.1');
  refused.end();
  await turns();
  expect(gateway.sent.map((frame) => [frame.type, frame.stream])).toEqual([['OPEN', 1]]);
});

test('a refused stream does not touch the next one, which gets its id', async () => {
  const gateway = muxProbe('gateway', { peerStreams: 1 });
  const first = gateway.mux.open('app');
  gateway.mux.open('app').on('error', () => undefined);
  first.destroy();
  const second = gateway.mux.open('app');
  await turns();
  expect([second.destroyed, gateway.mux.size]).toEqual([false, 1]);
  expect(gateway.of('RESET', second.id)).toEqual([]);
});

test('many small writes of one stream do not take the turns of another', () => {
  const gateway = muxProbe('gateway', { peerWindow: 16_777_216 });
  gateway.buffered = limits.sendBufferBytes + 1;
  const [small, large] = [gateway.mux.open('app'), gateway.mux.open('app')];
  for (let count = 0; count < 200; count++) small.write(Buffer.alloc(100, 'a'));
  large.write(Buffer.alloc(320_000, 'b'));
  gateway.buffered = 0;
  gateway.drained();
  const order = gateway.sent.filter((frame) => frame.type === 'DATA').map((frame) => frame.stream);
  const untilLast = order.slice(0, order.lastIndexOf(large.id) + 1).join(' ');
  expect(order.filter((id) => id === large.id).length).toBeGreaterThan(5);
  expect(untilLast).not.toMatch(new RegExp(`${small.id} ${small.id}`));
});

test('16 readers that stand still hold at most what a tunnel may hold', async () => {
  const agent = muxProbe('agent');
  let held = 0;
  for (let count = 0; count < 16; count++) {
    const id = 2 * count + 1;
    agent.receive('OPEN', id, 'app');
    for (let sent = 0; ;) {
      const granted = agent.numbers('WINDOW', id).reduce((sum, bytes) => sum + bytes, limits.initialWindowBytes);
      // The first byte is one that the stream reads ahead, so that it grants at all.
      const piece = Math.min(granted - sent, sent === 0 ? 1 : limits.payloadBytes);
      if (piece === 0) break;
      agent.receive('DATA', id, Buffer.alloc(piece));
      sent += piece;
      await turns();
    }
    held += agent.opened[count]!.stream.readableLength;
  }
  expect(held).toBeGreaterThan(limits.windowBytes);
  expect(held).toBeLessThanOrEqual(limits.tunnelBytes);
});

test('bad input is told by both roles alike: an id of the wrong parity, and text that is no UTF-8', () => {
  const agent = muxProbe('agent');
  agent.receive('OPEN', 3, 'app');
  expect(() => agent.receive('DATA', 2, 'x')).toThrow(/never opened/);
  expect(() => agent.receive('CTRL', 0, Buffer.from('22ff22', 'hex'))).toThrow(/not JSON/);
});
