// Credit both ways, turns of streams, and what waits when a reader or the connection is slow.
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { limits, resetCode } from '../../../contract/tunnel.ts';
import { systemClock } from '../../../server/lib/clock.ts';
import type { Mux, MuxOptions } from '../../../server/tunnel/mux.ts';
import type { TunnelStream } from '../../../server/tunnel/stream.ts';
import { muxPair, muxProbe, readAll, type MuxProbe } from '../../kit/tunnel-mux.ts';
import { until } from '../../kit/until.ts';

const made: { close(): void }[] = [];
afterEach(() => made.splice(0).forEach((one) => one.close()));

function probe(role: MuxOptions['role'], options: Partial<MuxOptions> = {}): MuxProbe {
  const one = muxProbe(role, options);
  made.push(one.mux);
  return one;
}
const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);
/** Lets every turn of the event loop that was asked for pass. */
const turns = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
};

/** Plays a peer that sends as much as it may on a stream, a byte first, until it has no credit or has sent `most`. */
async function sendAll(one: MuxProbe, id: number, most: number): Promise<number> {
  let sent = 0;
  for (;;) {
    const credit = limits.initialWindowBytes + sum(one.numbers('WINDOW', id)) - sent;
    const piece = Math.min(credit, sent === 0 ? 1 : limits.payloadBytes, most - sent);
    if (piece === 0) return sent;
    one.receive('DATA', id, Buffer.alloc(piece));
    sent += piece;
    await turns();
  }
}

test('no more is sent than the peer gave credit for, in pieces of 32 KiB at most', async () => {
  const gateway = probe('gateway', { peerWindow: 65_536 });
  const stream = gateway.mux.open('app');
  let written = false;
  stream.write(Buffer.alloc(200_000, 'x'), () => (written = true));
  expect(gateway.data(1)).toHaveLength(65_536);
  gateway.receiveNumber('WINDOW', 1, 1000);
  expect(gateway.data(1)).toHaveLength(66_536);
  await turns();
  expect([written, stream.writableLength]).toEqual([false, 200_000]);
  gateway.receiveNumber('WINDOW', 1, 1_000_000);
  expect(gateway.data(1)).toHaveLength(200_000);
  expect(Math.max(...gateway.of('DATA').map(({ length }) => length))).toBe(limits.quantumBytes);
  await until(() => written, 'the write is told');
  expect(gateway.meter.out).toBe(200_000);
});

test('a reader that does not read holds one window, gets no further credit, and reads all of it later', async () => {
  const agent = probe('agent');
  agent.receive('OPEN', 1, 'app');
  const { stream } = agent.opened[0]!;
  const sent = await sendAll(agent, 1, 100_000_000);
  expect(sent).toBeGreaterThanOrEqual(limits.windowBytes);
  expect(sent).toBeLessThanOrEqual(limits.windowBytes + 2 * limits.payloadBytes);
  expect(stream.readableLength).toBe(sent);
  const given = agent.numbers('WINDOW', 1).length;
  let read = 0;
  stream.on('data', (part: Buffer) => (read += part.length));
  await until(() => read === sent, 'all is read');
  expect(agent.numbers('WINDOW', 1).length).toBeGreaterThan(given);
  expect(limits.initialWindowBytes + sum(agent.numbers('WINDOW', 1)) - sent).toBe(stream.receiveCredit);
  expect(stream.receiveCredit).toBeLessThanOrEqual(limits.windowBytes);
});

test('a writer waits for a reader that does not read; nothing grows between them', async () => {
  let far: TunnelStream | undefined;
  const two = muxPair(systemClock, (_target, stream) => (far = stream));
  made.push(two);
  const near = two.gateway.open('app');
  let given = 0;
  const feed = (): void => {
    while (given < 50_000_000) {
      given += 65_536;
      if (!near.write(Buffer.alloc(65_536))) return void near.once('drain', feed);
    }
  };
  feed();
  let before = -1;
  await until(() => {
    const same = far !== undefined && far.readableLength === before;
    before = far?.readableLength ?? -1;
    return same;
  }, 'nothing moves any more');
  expect(two.carried.toAgent).toBeLessThanOrEqual(limits.windowBytes + 2 * limits.payloadBytes);
  expect(given).toBeLessThanOrEqual(two.carried.toAgent + 2 * 65_536);
  let read = 0;
  far!.on('data', (part: Buffer) => (read += part.length));
  await until(() => read > 20_000_000, 'the writer goes on when the reader does');
});

test('a reader that does not read does not hold up another stream', async () => {
  const far: TunnelStream[] = [];
  const two = muxPair(systemClock, (_target, stream) => far.push(stream));
  made.push(two);
  two.gateway.open('app').write(Buffer.alloc(8_000_000));
  const lively = two.gateway.open('app');
  await until(() => far.length === 2, 'both are open');
  const all = readAll(far[1]!);
  lively.end(Buffer.alloc(8_000_000, 'x'));
  expect(await all).toHaveLength(8_000_000);
  expect(far[0]!.readableLength).toBeLessThanOrEqual(limits.windowBytes + 2 * limits.payloadBytes);
});

test('all of the credit may be used; one byte more is RESET protocol, and only for that stream', async () => {
  const agent = probe('agent');
  for (const id of [1, 3]) {
    agent.receive('OPEN', id, 'app');
    await sendAll(agent, id, 100_000_000);
  }
  expect(agent.of('RESET')).toEqual([]);
  expect(agent.opened.map(({ stream }) => stream.receiveCredit)).toEqual([0, 0]);
  agent.receive('DATA', 3, 'x');
  expect(agent.sent.at(-1)).toMatchObject({ type: 'RESET', stream: 3 });
  expect(agent.numbers('RESET', 3)).toEqual([resetCode.protocol]);
  expect(agent.opened.map(({ stream }) => stream.destroyed)).toEqual([false, true]);
  expect(agent.opened[1]!.stream.errored).toMatchObject({ code: 'EPROTO' });
  expect([agent.mux.size, agent.meter.resets]).toEqual([1, [resetCode.protocol]]);
});

test('credit of 16 streams grows to 4 MiB, beyond them it stays at 256 KiB', async () => {
  const agent = probe('agent');
  const open = (count: number): TunnelStream => {
    for (let n = agent.opened.length; n < count; n++) agent.receive('OPEN', 2 * n + 1, 'app');
    return agent.opened.at(-1)!.stream;
  };
  const sixteenth = open(16);
  agent.receive('DATA', 31, 'x');
  await turns();
  expect(sixteenth.receiveCredit).toBe(limits.windowBytes);
  const seventeenth = open(17);
  await sendAll(agent, 33, 60_000);
  expect(seventeenth.receiveCredit).toBe(limits.initialWindowBytes - 60_000);
  seventeenth.resume();
  await sendAll(agent, 33, 200_000);
  expect(seventeenth.receiveCredit).toBeGreaterThan(limits.initialWindowBytes / 2);
  expect(seventeenth.receiveCredit).toBeLessThanOrEqual(limits.initialWindowBytes);
});

test('the credit that is outstanding on all streams stays below 32 MiB', async () => {
  const agent = probe('agent');
  for (let n = 0; n < 16; n++) {
    agent.receive('OPEN', 2 * n + 1, 'app');
    agent.receive('DATA', 2 * n + 1, 'x');
  }
  await turns();
  const credits = agent.opened.map(({ stream }) => stream.receiveCredit);
  expect(sum(credits)).toBeLessThanOrEqual(limits.tunnelBytes);
  expect(Math.max(...credits)).toBe(limits.windowBytes);
  expect(Math.min(...credits)).toBeGreaterThanOrEqual(limits.initialWindowBytes - 1);
  // What one stream gives back, another may have.
  const small = credits.findIndex((credit) => credit < limits.windowBytes);
  agent.opened.slice(0, small).forEach(({ stream }) => stream.destroy());
  agent.receive('DATA', 2 * small + 1, 'x');
  await turns();
  expect(agent.opened[small]!.stream.receiveCredit).toBe(limits.windowBytes);
});

test('streams take turns of 32 KiB', () => {
  const gateway = probe('gateway');
  gateway.buffered = limits.sendBufferBytes + 1;
  for (const fill of ['a', 'b', 'c']) gateway.mux.open('app').write(Buffer.alloc(100_000, fill));
  gateway.buffered = 0;
  gateway.drained();
  const order = gateway.sent
    .filter(({ type }) => type === 'DATA')
    .map(({ stream, payload }) => [stream, payload.length]);
  const round = (length: number): number[][] => [1, 3, 5].map((id) => [id, length]);
  expect(order).toEqual([...round(32_768), ...round(32_768), ...round(32_768), ...round(1696)]);
});

test('data waits while the connection holds more than 128 KiB; what concerns credit, ends and life does not', () => {
  const gateway = probe('gateway');
  const stream = gateway.mux.open('app');
  gateway.buffered = limits.sendBufferBytes + 1;
  stream.write('held back');
  expect(gateway.of('DATA')).toEqual([]);
  gateway.receive('PING', 0, '12345678');
  gateway.mux.open('app').destroy();
  gateway.mux.ctrl({ kind: 'stop', graceSeconds: 1 });
  expect(gateway.sent.map(({ type }) => type)).toEqual(['OPEN', 'PONG', 'OPEN', 'RESET', 'CTRL']);
  gateway.buffered = limits.sendBufferBytes;
  gateway.drained();
  expect(String(gateway.data(1))).toBe('held back');
});

test('a stream that is destroyed while its data or its end waits sends nothing of it', () => {
  const gateway = probe('gateway');
  gateway.buffered = limits.sendBufferBytes + 1;
  const [full, ended] = [gateway.mux.open('app'), gateway.mux.open('app')];
  full.write('never sent');
  ended.end();
  full.destroy();
  ended.destroy();
  gateway.buffered = 0;
  gateway.drained();
  expect(gateway.sent.map(({ type }) => type)).toEqual(['OPEN', 'OPEN', 'RESET', 'RESET']);
});

test('whatever is written, on however many streams, arrives whole and in order', async () => {
  const chunks = fc.array(fc.integer({ min: 0, max: 150_000 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(chunks, { minLength: 1, maxLength: 5 }), async (plan) => {
      const two = muxPair(systemClock, (_target, stream) => stream.pipe(stream));
      try {
        await Promise.all(plan.map((sizes, index) => echoes(two.gateway, sizes, index)));
        await until(() => two.gateway.size + two.agent.size === 0, 'all streams are gone');
      } finally {
        two.close();
      }
    }),
    { numRuns: 25 },
  );
});

async function echoes(gateway: Mux, sizes: number[], seed: number): Promise<void> {
  const parts = sizes.map((size, index) => Buffer.alloc(size, `${seed}.${index}.`));
  const stream = gateway.open('app');
  const back = readAll(stream);
  parts.forEach((part) => stream.write(part));
  stream.end();
  const found = await back;
  if (!found.equals(Buffer.concat(parts))) throw new Error(`${found.length} of ${sum(sizes)} bytes, or others`);
}
