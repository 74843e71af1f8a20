// Hostile peers: whatever comes, a multiplexer throws protocol errors only, keeps its limits, and leaves nothing behind.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frameType } from '../../../contract/tunnel.ts';
import { encode, TunnelProtocolError, type FrameName } from '../../../server/tunnel/codec.ts';
import type { MuxOptions } from '../../../server/tunnel/mux.ts';
import { muxProbe, type MuxProbe } from '../../kit/tunnel-mux.ts';

const ofConnection = ['PING', 'PONG', 'ACK', 'GOAWAY', 'CTRL', 'HELLO'];
const usual: Partial<Record<FrameName, Buffer>> = {
  OPEN: Buffer.from('app'),
  END: Buffer.alloc(0),
  CTRL: Buffer.from('{"kind":"log","lines":[]}'),
  PING: Buffer.alloc(8),
  PONG: Buffer.alloc(8),
};

/** A well-formed frame of streams 1 to 12; a number where the type has one. */
const wellFormed = fc
  .tuple(
    fc.constantFrom(...(Object.keys(frameType) as FrameName[]), 'OPEN' as const, 'DATA' as const, 'WINDOW' as const),
    fc.integer({ min: 1, max: 12 }),
    fc.oneof(fc.constantFrom(0, 1, 3, 65_536, 0x7fff_ffff, 0xffff_ffff), fc.nat()),
  )
  .map(([type, stream, number]) => {
    const four = Buffer.alloc(4);
    four.writeUInt32BE(number);
    return encode(type, ofConnection.includes(type) ? 0 : stream, usual[type] ?? four);
  });
const broken = fc.tuple(wellFormed, fc.nat(), fc.nat(255)).map(([message, where, value]) => {
  message[where % message.length] = value;
  return message;
});
const anything = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));

/** What the person at this end does between two frames. */
type Act = (one: MuxProbe, role: MuxOptions['role']) => void;
const acts = fc.constantFrom<Act>(
  // Only the gateway opens streams.
  (one, role) => {
    if (role === 'gateway') one.mux.open('app').on('error', () => undefined);
  },
  (one) => one.opened.forEach(({ stream }) => stream.resume()),
  (one) => one.opened.forEach(({ stream }) => stream.writable && stream.write('x'.repeat(70_000))),
  (one) => one.opened.at(-1)?.stream.end(),
  (one) => one.opened.at(0)?.stream.destroy(),
  (one) => one.clock.advance(5),
);

const script = (message: fc.Arbitrary<Buffer>): fc.Arbitrary<(Buffer | Act)[]> =>
  fc.array(fc.oneof({ weight: 4, arbitrary: message }, { weight: 1, arbitrary: acts }), {
    minLength: 40,
    maxLength: 100,
  });

/** @returns how many frames were taken. A refused one ends the connection in earnest; here the walk goes on, which is harder. */
async function play(role: MuxOptions['role'], steps: (Buffer | Act)[]): Promise<number> {
  const one = muxProbe(role);
  let taken = 0;
  for (const [index, step] of steps.entries()) {
    if (Buffer.isBuffer(step)) taken += receives(one, step) ? 1 : 0;
    else step(one, role);
    if (index % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  one.mux.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect([one.mux.size, one.clock.timers]).toEqual([0, 0]);
  expect(one.opened.every(({ stream }) => stream.destroyed)).toBe(true);
  return taken;
}

function receives(one: MuxProbe, message: Buffer): boolean {
  try {
    one.mux.receive(message);
    return true;
  } catch (error) {
    if (error instanceof TunnelProtocolError) return false;
    throw error;
  }
}

describe.each(['gateway', 'agent'] as const)('a multiplexer of the %s', (role) => {
  test('survives frames in any order, and streams that come and go meanwhile', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(script(wellFormed), async (steps) => {
        taken += await play(role, steps);
      }),
      { numRuns: 200 },
    );
    // Not everything is refused: the walks get somewhere.
    expect(taken).toBeGreaterThan(200 * 10);
  });

  test('survives frames with a byte changed, and bytes that are no frames', async () => {
    await fc.assert(
      fc.asyncProperty(script(fc.oneof(wellFormed, broken, anything)), async (steps) => {
        await play(role, steps);
      }),
      { numRuns: 200 },
    );
  });
});
