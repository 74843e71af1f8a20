// Frames and bodies of jtun.v1 against the vectors that the Python agent reads too.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgentCtrl, AgentHello, frameType, GatewayCtrl, Hello, resetCode } from '../../../contract/tunnel.ts';
import { decode, encode, encodeNumber, TunnelProtocolError, type FrameName } from '../../../server/tunnel/codec.ts';
import { muxProbe } from '../../kit/tunnel-mux.ts';
import { messageOf, payloadOf, readFrame, textOf, vectors, type BodyVector } from '../../kit/tunnel-vectors.ts';

const named = <T extends { name: string }>(list: T[]): [string, T][] => list.map((vector) => [vector.name, vector]);

test('the contract has the types and RESET codes of the vectors', () => {
  expect(frameType).toEqual(vectors.types);
  expect(resetCode).toEqual(vectors.resetCodes);
});

test('the vectors have every type, at its smallest and its largest, and one past each', () => {
  for (const type of Object.keys(frameType)) {
    const sizes = vectors.frames.filter((one) => one.type === type).map((one) => payloadOf(one).length);
    const refused = vectors.malformed.filter((one) => one.type === type).map((one) => payloadOf(one).length);
    expect(refused, type).toContain(Math.max(...sizes) + 1);
    if (Math.min(...sizes) > 0) expect(refused, type).toContain(Math.min(...sizes) - 1);
  }
});

describe('frames', () => {
  test.each(named(vectors.frames))('%s is made and taken', (_name, vector) => {
    const message = messageOf(vector);
    const payload = payloadOf(vector);
    // equals() on buffers: expect() would print 64 KiB
    expect(encode(vector.type, vector.stream, payload).equals(message)).toBe(true);
    const frame = decode(message);
    expect([frame.type, frame.stream]).toEqual([vector.type, vector.stream]);
    expect(frame.payload.equals(payload)).toBe(true);
  });

  test.each(named(vectors.malformed))('%s is not taken, and not made', (_name, vector) => {
    expect(() => decode(messageOf(vector))).toThrow(TunnelProtocolError);
    if (vector.type === undefined) return;
    const { type, stream = 0 } = vector;
    expect(() => encode(type, stream, payloadOf(vector))).toThrow(TunnelProtocolError);
  });

  test('a number is sent modulo 2^32', () => {
    for (const [value, hex] of [
      [0, '00000000'],
      [1, '00000001'],
      [0xffff_ffff, 'ffffffff'],
      [0x1_0000_0000, '00000000'],
      [0x1_0000_0005, '00000005'],
    ] as const)
      expect(encodeNumber('ACK', 0, value).toString('hex')).toBe(`0900000000000000${hex}`);
  });

  test('a taken payload shares the memory of its message', () => {
    const message = encode('DATA', 1, Buffer.from('abc'));
    expect(decode(message).payload.buffer).toBe(message.buffer);
  });

  test('bytes are refused as a protocol error, or are exactly what encode would make', () => {
    const type = fc.constantFrom(...Object.values(frameType), 11, 200);
    const small = fc.uint8Array({ maxLength: 24 });
    const likely = fc
      .tuple(type, fc.constantFrom(0, 0, 0, 0, 1), fc.constantFrom(0, 1, 2, 0xffff_ffff), small)
      .map(([kind, flag, stream, payload]) => {
        const header = Buffer.from([kind, flag, 0, 0, 0, 0, 0, 0]);
        header.writeUInt32BE(stream, 4);
        return Buffer.concat([header, payload]);
      });
    const anything = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(likely, anything), (message) => {
        try {
          const { type: name, stream, payload } = decode(message);
          taken += 1;
          return encode(name, stream, payload).equals(message);
        } catch (error) {
          return error instanceof TunnelProtocolError;
        }
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  test('what encode makes, decode gives back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<FrameName>('OPEN', 'DATA'),
        fc.integer({ min: 1, max: 0xffff_ffff }),
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        (type, stream, bytes) => {
          const frame = decode(encode(type, stream, Buffer.from(bytes)));
          return frame.type === type && frame.stream === stream && frame.payload.equals(bytes);
        },
      ),
    );
  });
});

describe('a conversation', () => {
  test.each(named(vectors.conversations))('%s', (_name, { receives, resets, streams, close }) => {
    const agent = muxProbe('agent');
    const play = (texts: string[]): void => texts.forEach((text) => agent.mux.receive(encode(...readFrame(text))));
    if (close !== undefined) {
      expect(close).toBe(1002);
      play(receives.slice(0, -1));
      expect(() => play(receives.slice(-1))).toThrow(TunnelProtocolError);
      agent.mux.close();
      return;
    }
    play(receives);
    const codes = agent.sent
      .filter(({ type }) => type === 'RESET')
      .map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]);
    expect(codes).toEqual(resets!.map(([stream, code]) => [stream, vectors.resetCodes[code]]));
    expect(agent.mux.size).toBe(streams);
    agent.mux.close();
  });
});

describe('bodies', () => {
  /** As Link and Mux do: JSON first, then the schema; undefined when either refuses. */
  const take = (
    schema: typeof Hello | typeof AgentHello | typeof AgentCtrl | typeof GatewayCtrl,
    vector: BodyVector,
  ) => {
    let value: unknown;
    try {
      value = JSON.parse(textOf(vector));
    } catch {
      return undefined;
    }
    return schema.safeParse(value).data;
  };
  const all = [
    ...vectors.hello.fromGateway.map((vector) => [`HELLO of a gateway: ${vector.name}`, Hello, vector] as const),
    ...vectors.hello.fromAgent.map((vector) => [`HELLO of an agent: ${vector.name}`, AgentHello, vector] as const),
    ...vectors.ctrl.fromGateway.map((vector) => [`CTRL of a gateway: ${vector.name}`, GatewayCtrl, vector] as const),
    ...vectors.ctrl.fromAgent.map((vector) => [`CTRL of an agent: ${vector.name}`, AgentCtrl, vector] as const),
  ];
  test.each(all.filter(([, , vector]) => vector.taken))('%s is taken as it is', (_name, schema, vector) => {
    expect(take(schema, vector)).toEqual(vector.body);
  });
  test.each(all.filter(([, , vector]) => !vector.taken))('%s is not taken', (_name, schema, vector) => {
    expect(take(schema, vector)).toBeUndefined();
  });

  test.each(named(vectors.ctrl.fromGateway.filter((vector) => vector.taken)))(
    'CTRL goes out as the JSON of its message: %s',
    (_name, { body }) => {
      const gateway = muxProbe('gateway');
      expect(gateway.mux.ctrl(body)).toBe(true);
      expect(gateway.of('CTRL').map((payload) => JSON.parse(payload.toString()) as unknown)).toEqual([body]);
      gateway.mux.close();
    },
  );
});
