// One frame = one binary websocket message: type u8, flags u8 = 0, reserved u16 = 0, stream u32, payload (big endian).
import { frameType, headerBytes, limits } from '../../contract/tunnel.ts';

export type FrameName = keyof typeof frameType;

export interface Frame {
  type: FrameName;
  stream: number;
  payload: Buffer;
}

/** The peer broke the protocol; the connection is closed with 1002. */
export class TunnelProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TunnelProtocolError';
  }
}

const names = new Map<number, FrameName>(Object.entries(frameType).map(([name, type]) => [type, name as FrameName]));

interface Rule {
  /** Frames of the connection have stream 0, frames of a stream never do. */
  ofStream: boolean;
  least: number;
  most: number;
}

const rules: Record<FrameName, Rule> = {
  HELLO: { ofStream: false, least: 2, most: limits.helloBytes },
  OPEN: { ofStream: true, least: 1, most: limits.openBytes },
  DATA: { ofStream: true, least: 1, most: limits.payloadBytes },
  WINDOW: { ofStream: true, least: 4, most: 4 },
  END: { ofStream: true, least: 0, most: 0 },
  RESET: { ofStream: true, least: 4, most: 4 },
  PING: { ofStream: false, least: 8, most: 8 },
  PONG: { ofStream: false, least: 8, most: 8 },
  GOAWAY: { ofStream: false, least: 4, most: 1024 },
  ACK: { ofStream: false, least: 4, most: 4 },
  CTRL: { ofStream: false, least: 2, most: limits.ctrlBytes },
};

/**
 * @returns the message of a frame
 * @throws TunnelProtocolError when the frame would break a rule
 */
export function encode(type: FrameName, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  check(type, stream, payload.length);
  const message = Buffer.allocUnsafe(headerBytes + payload.length);
  message.writeUInt32BE(frameType[type] << 24, 0);
  message.writeUInt32BE(stream, 4);
  payload.copy(message, headerBytes);
  return message;
}

/** @returns a frame with a u32 payload (WINDOW, RESET, ACK) */
export function encodeNumber(type: 'WINDOW' | 'RESET' | 'ACK', stream: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value >>> 0, 0);
  return encode(type, stream, payload);
}

/**
 * @returns the frame; its payload shares memory with the message
 * @throws TunnelProtocolError naming what is wrong
 */
export function decode(message: Buffer): Frame {
  if (message.length < headerBytes)
    throw new TunnelProtocolError(`message of ${message.length} bytes is shorter than a header`);
  const type = names.get(message[0]!);
  if (type === undefined) throw new TunnelProtocolError(`unknown frame type ${message[0]}`);
  if (message[1] !== 0 || message[2] !== 0 || message[3] !== 0)
    throw new TunnelProtocolError('flags and reserved bytes must be 0');
  const stream = message.readUInt32BE(4);
  check(type, stream, message.length - headerBytes);
  return { type, stream, payload: message.subarray(headerBytes) };
}

function check(type: FrameName, stream: number, length: number): void {
  const rule = rules[type];
  if (rule.ofStream !== stream > 0) throw new TunnelProtocolError(`${type} with stream ${stream}`);
  if (length < rule.least || length > rule.most)
    throw new TunnelProtocolError(`${type} with a payload of ${length} bytes`);
}

/**
 * @returns the value of a JSON payload
 * @throws TunnelProtocolError for what is not JSON in UTF-8
 */
export function parsePayload(payload: Buffer, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload)) as unknown;
  } catch {
    throw new TunnelProtocolError(`${what} is not JSON`);
  }
}
