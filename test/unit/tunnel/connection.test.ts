// What concerns the whole connection: PING, receipts, GOAWAY, CTRL.
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { limits, resetCode } from '../../../contract/tunnel.ts';
import type { MuxOptions } from '../../../server/tunnel/mux.ts';
import { muxProbe, type MuxProbe } from '../../kit/tunnel-mux.ts';

const made: { close(): void }[] = [];
afterEach(() => made.splice(0).forEach((one) => one.close()));

function probe(role: MuxOptions['role']): MuxProbe {
  const one = muxProbe(role);
  made.push(one.mux);
  return one;
}

test('PING is answered with its own bytes; PING, PONG and ACK are not counted', () => {
  const gateway = probe('gateway');
  gateway.receive('PING', 0, '12345678');
  gateway.receive('PONG', 0, '12345678');
  gateway.receiveNumber('ACK', 0, 7);
  expect(gateway.of('PONG').map(String)).toEqual(['12345678']);
  expect([gateway.mux.received, gateway.mux.sent, gateway.mux.acked]).toEqual([0, 0, 7]);
  gateway.mux.ping(Buffer.from('abcdefgh'));
  expect(gateway.of('PING').map(String)).toEqual(['abcdefgh']);
  expect(gateway.mux.sent).toBe(0);
  expect(gateway.clock.timers).toBe(0);
});

test('receipt is told after 16 frames', () => {
  const gateway = probe('gateway');
  for (let n = 0; n < 15; n++) gateway.receive('CTRL', 0, '{}');
  expect(gateway.of('ACK')).toEqual([]);
  gateway.receive('CTRL', 0, '{}');
  expect(gateway.numbers('ACK')).toEqual([16]);
  gateway.clock.advance(1000);
  expect(gateway.numbers('ACK')).toEqual([16]);
});

test('receipt is told after 64 KiB', () => {
  const gateway = probe('gateway');
  gateway.mux.open('app');
  gateway.receive('DATA', 1, Buffer.alloc(65_536 - 17));
  expect(gateway.of('ACK')).toEqual([]);
  gateway.receive('DATA', 1, 'x');
  expect(gateway.numbers('ACK')).toEqual([2]);
});

test('receipt is told 5 ms after the first frame that waits', () => {
  const gateway = probe('gateway');
  gateway.receive('CTRL', 0, '{}');
  gateway.clock.advance(4);
  gateway.receive('CTRL', 0, '{}');
  expect(gateway.of('ACK')).toEqual([]);
  gateway.clock.advance(1);
  expect(gateway.numbers('ACK')).toEqual([2]);
  gateway.clock.advance(1000);
  expect(gateway.numbers('ACK')).toEqual([2]);
});

test('the counts go round at 2^32', () => {
  const gateway = probe('gateway');
  gateway.mux.received = 0xffff_ffff;
  gateway.mux.sent = 0xffff_ffff;
  gateway.receive('CTRL', 0, '{}');
  gateway.mux.ctrl({});
  gateway.clock.advance(5);
  expect([gateway.numbers('ACK'), gateway.mux.received, gateway.mux.sent]).toEqual([[0], 0, 0]);
});

test('after the peer has said GOAWAY no stream is opened, and open ones go on', async () => {
  const gateway = probe('gateway');
  const stream = gateway.mux.open('app');
  gateway.receive('GOAWAY', 0, '\0\0\0\u0002the session is ending');
  expect(gateway.goaways).toEqual([[2, 'the session is ending']]);
  const [error] = (await once(gateway.mux.open('app'), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  expect(gateway.of('OPEN')).toHaveLength(1);
  stream.write('more');
  gateway.receive('DATA', 1, 'and more');
  expect(String(gateway.data(1))).toBe('more');
  expect(String(stream.read())).toBe('and more');
});

test('after its own GOAWAY an agent refuses streams, and open ones go on', () => {
  const agent = probe('agent');
  agent.receive('OPEN', 1, 'app');
  agent.mux.goaway(1, '\u{1f6aa}'.repeat(2000));
  const [said] = agent.of('GOAWAY');
  expect(said!.readUInt32BE(0)).toBe(1);
  expect(said!.length).toBeLessThanOrEqual(1024);
  agent.receive('OPEN', 3, 'app');
  expect(agent.numbers('RESET', 3)).toEqual([resetCode.refused]);
  agent.opened[0]!.stream.write('still here');
  expect(String(agent.data(1))).toBe('still here');
});

test('CTRL may have 16 KiB and not one byte more', () => {
  const gateway = probe('gateway');
  const around = JSON.stringify({ lines: '' }).length;
  expect(gateway.mux.ctrl({ lines: 'x'.repeat(limits.ctrlBytes - around) })).toBe(true);
  expect(gateway.mux.ctrl({ lines: 'x'.repeat(limits.ctrlBytes - around + 1) })).toBe(false);
  // Bytes count, not characters.
  expect(gateway.mux.ctrl({ lines: 'ö'.repeat(limits.ctrlBytes - around - 1) })).toBe(false);
  expect(gateway.of('CTRL').map((payload) => payload.length)).toEqual([limits.ctrlBytes]);
  expect(gateway.mux.sent).toBe(1);
});

test('CTRL is told on as it was said', () => {
  const gateway = probe('gateway');
  gateway.receive('CTRL', 0, '{"kind":"log","lines":["ö"]}');
  expect(gateway.ctrl).toEqual([{ kind: 'log', lines: ['ö'] }]);
});
