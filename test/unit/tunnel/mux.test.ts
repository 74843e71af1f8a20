// Streams over one connection: opening, half-close, RESET codes, limits, receipts, PING, GOAWAY, CTRL.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { limits, resetCode } from '../../../contract/tunnel.ts';
import { systemClock } from '../../../server/lib/clock.ts';
import { encode, TunnelProtocolError } from '../../../server/tunnel/codec.ts';
import type { MuxOptions } from '../../../server/tunnel/mux.ts';
import type { TunnelStream } from '../../../server/tunnel/stream.ts';
import { muxPair, muxProbe, readAll, type MuxPair, type MuxProbe } from '../../kit/tunnel-mux.ts';
import { until } from '../../kit/until.ts';

const made: { close(): void }[] = [];
afterEach(() => made.splice(0).forEach((one) => one.close()));

function probe(role: MuxOptions['role'], options: Partial<MuxOptions> = {}): MuxProbe {
  const one = muxProbe(role, options);
  made.push(one.mux);
  return one;
}
function pair(onOpen: (target: string, stream: TunnelStream) => void): MuxPair {
  const two = muxPair(systemClock, onOpen);
  made.push(two);
  return two;
}
const failure = async (stream: TunnelStream): Promise<NodeJS.ErrnoException> => {
  const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
  return error;
};
const ids = (one: MuxProbe): number[] => one.sent.filter(({ type }) => type === 'OPEN').map(({ stream }) => stream);

describe('opening', () => {
  test('a stream reaches the agent with its target, and bytes go both ways', async () => {
    const targets: string[] = [];
    const { gateway } = pair((target, stream) => {
      targets.push(target);
      stream.pipe(stream);
    });
    const sent = randomBytes(1_000_000);
    const stream = gateway.open('app');
    stream.end(sent);
    const echoed = await readAll(stream);
    expect(createHash('sha256').update(echoed).digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
    expect(targets).toEqual(['app']);
  });

  test('the gateway opens odd ids that rise, and data follows OPEN without waiting', () => {
    const gateway = probe('gateway');
    gateway.mux.open('app').write('first');
    gateway.mux.open('app');
    gateway.mux.open('interlink');
    expect(ids(gateway)).toEqual([1, 3, 5]);
    expect(gateway.sent.map(({ type, stream }) => [type, stream]).slice(0, 2)).toEqual([
      ['OPEN', 1],
      ['DATA', 1],
    ]);
    expect(gateway.of('OPEN').map(String)).toEqual(['app', 'app', 'interlink']);
  });

  test('the agent opens none: OPEN breaks the protocol', () => {
    expect(() => probe('gateway').receive('OPEN', 1, 'app')).toThrow(TunnelProtocolError);
    expect(() => probe('gateway').receive('OPEN', 2, 'app')).toThrow(TunnelProtocolError);
  });

  test('one stream more than the peer takes fails with EAGAIN and is not sent; room that comes free is used', async () => {
    const gateway = probe('gateway', { peerStreams: 2 });
    const first = gateway.mux.open('app');
    gateway.mux.open('app');
    expect((await failure(gateway.mux.open('app'))).code).toBe('EAGAIN');
    expect(gateway.sent.map(({ type, stream }) => [type, stream])).toEqual([
      ['OPEN', 1],
      ['OPEN', 3],
    ]);
    expect(gateway.mux.size).toBe(2);
    first.destroy();
    gateway.mux.open('app');
    expect(ids(gateway)).toEqual([1, 3, 5]);
  });

  test('the agent takes 1,024 streams and answers the next with RESET too many', () => {
    const agent = probe('agent');
    for (let n = 0; n < limits.streamsPerTunnel; n++) agent.receive('OPEN', 2 * n + 1, 'app');
    expect(agent.numbers('RESET')).toEqual([]);
    agent.receive('OPEN', 2 * limits.streamsPerTunnel + 1, 'app');
    expect(agent.numbers('RESET', 2049)).toEqual([resetCode.tooMany]);
    expect([agent.mux.size, agent.opened.length]).toEqual([1024, 1024]);
  });
});

describe('half-close', () => {
  test('the gateway may end and still read; then the stream is gone at both ends, without RESET', async () => {
    const heard: Promise<string>[] = [];
    const { gateway, agent, carried } = pair((_target, stream) => {
      heard.push(
        readAll(stream).then((question) => {
          stream.end(`answer to ${question.toString()}`);
          return String(question);
        }),
      );
    });
    const stream = gateway.open('app');
    stream.end('question');
    expect(String(await readAll(stream))).toBe('answer to question');
    expect(await heard[0]).toBe('question');
    await until(() => gateway.size === 0 && agent.size === 0, 'the stream is gone at both ends');
    expect(carried.resets).toBe(0);
  });

  test('the agent may end first and still read', async () => {
    const heard: Promise<string>[] = [];
    const { gateway, agent } = pair((_target, stream) => {
      stream.end('greeting');
      heard.push(readAll(stream).then(String));
    });
    const stream = gateway.open('app');
    expect(String(await readAll(stream))).toBe('greeting');
    stream.write('one, ');
    stream.end('two');
    expect(await heard[0]).toBe('one, two');
    await until(() => gateway.size === 0 && agent.size === 0, 'the stream is gone at both ends');
  });

  test('END goes out once, after the last byte, and costs no credit', async () => {
    const gateway = probe('gateway', { peerWindow: 65_536 });
    const stream = gateway.mux.open('app');
    stream.end(Buffer.alloc(65_537));
    expect(gateway.of('END')).toEqual([]);
    gateway.receiveNumber('WINDOW', 1, 1);
    await until(() => gateway.of('END').length > 0, 'END');
    expect(gateway.sent.slice(-2).map(({ type }) => type)).toEqual(['DATA', 'END']);
    expect(gateway.data(1)).toHaveLength(65_537);
  });
});

describe('RESET', () => {
  test.each([
    ['refused', 'ECONNREFUSED'],
    ['timeout', 'ETIMEDOUT'],
    ['reset', 'ECONNRESET'],
    ['forbidden', 'EACCES'],
    ['tooMany', 'EAGAIN'],
    ['protocol', 'EPROTO'],
  ] as const)('%s ends the stream as a socket would: %s', async (name, errno) => {
    const gateway = probe('gateway');
    const stream = gateway.mux.open('app');
    gateway.receiveNumber('RESET', 1, resetCode[name]);
    expect((await failure(stream)).code).toBe(errno);
    expect(gateway.mux.size).toBe(0);
    expect(gateway.meter.resets).toEqual([resetCode[name]]);
    expect(gateway.of('RESET')).toEqual([]);
  });

  test('an unknown code is ECONNRESET', async () => {
    const gateway = probe('gateway');
    const stream = gateway.mux.open('app');
    gateway.receiveNumber('RESET', 1, 99);
    expect((await failure(stream)).code).toBe('ECONNRESET');
  });

  test('a write that waits for credit fails when the stream is reset', async () => {
    const gateway = probe('gateway', { peerWindow: 65_536 });
    const stream = gateway.mux.open('app');
    const written = new Promise<Error | null | undefined>((resolve) => stream.write(Buffer.alloc(100_000), resolve));
    gateway.receiveNumber('RESET', 1, resetCode.timeout);
    expect(await written).toMatchObject({ code: 'ETIMEDOUT' });
  });

  test('a destroyed stream is told to the peer once, and what still comes for it is ignored', () => {
    const gateway = probe('gateway');
    const stream = gateway.mux.open('app');
    stream.destroy();
    stream.destroy();
    expect(gateway.numbers('RESET', 1)).toEqual([resetCode.reset]);
    gateway.receive('DATA', 1, 'late');
    gateway.receiveNumber('WINDOW', 1, 5);
    gateway.receive('END', 1);
    gateway.receiveNumber('RESET', 1, resetCode.reset);
    expect(gateway.of('RESET')).toHaveLength(1);
  });

  test.each([
    ['DATA', 'x'],
    ['WINDOW', '\0\0\0\u0001'],
    ['END', ''],
    ['RESET', '\0\0\0\u0003'],
  ] as const)('%s of a stream that the gateway has never opened breaks the protocol', (type, payload) => {
    for (const id of [2, 3, 0xffff_ffff]) {
      const gateway = probe('gateway');
      gateway.mux.open('app');
      expect(() => gateway.receive(type, id, payload), String(id)).toThrow(TunnelProtocolError);
    }
  });

  test('when the connection goes, all streams end with ECONNRESET, new ones are refused, and no timer is left', async () => {
    const gateway = probe('gateway');
    const streams = [gateway.mux.open('app'), gateway.mux.open('app')];
    gateway.receive('CTRL', 0, '{}');
    const failures = Promise.all(streams.map(failure));
    expect(gateway.clock.timers).toBe(1);
    gateway.mux.close();
    expect((await failures).map(({ code }) => code)).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect((await failure(gateway.mux.open('app'))).code).toBe('ECONNREFUSED');
    expect([gateway.clock.timers, gateway.mux.size]).toEqual([0, 0]);
    const before = gateway.sent.length;
    gateway.mux.receive(encode('PING', 0, Buffer.alloc(8)));
    expect([gateway.mux.ctrl({}), gateway.sent.length]).toEqual([false, before]);
  });
});
