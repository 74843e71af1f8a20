// test/vectors/jtun.json, the truth that the gateway's tests share with the agent's.
import { readFileSync } from 'node:fs';
import type { FrameName } from '../../server/tunnel/codec.ts';

interface Bytes {
  hex?: string;
  text?: string;
  xs?: number;
}
export interface FrameVector extends Bytes {
  name: string;
  type: FrameName;
  stream: number;
  header: string;
}
/** Without a type: no end could make it. */
export type MalformedVector = Omit<FrameVector, 'type' | 'stream'> & Partial<Pick<FrameVector, 'type' | 'stream'>>;
export interface Conversation {
  name: string;
  receives: string[];
  resets?: [stream: number, code: string][];
  streams?: number;
  close?: number;
}
export interface BodyVector {
  name: string;
  taken: boolean;
  body?: unknown;
  text?: string;
}

interface Vectors {
  types: Record<string, number>;
  resetCodes: Record<string, number>;
  frames: FrameVector[];
  malformed: MalformedVector[];
  conversations: Conversation[];
  hello: { fromGateway: BodyVector[]; fromAgent: BodyVector[] };
  ctrl: { fromGateway: BodyVector[]; fromAgent: BodyVector[] };
}

export const vectors = JSON.parse(readFileSync(new URL('../vectors/jtun.json', import.meta.url), 'utf8')) as Vectors;

export function payloadOf({ hex, text, xs }: Bytes): Buffer {
  if (xs !== undefined) return Buffer.alloc(xs, 'x');
  return text === undefined ? Buffer.from(hex ?? '', 'hex') : Buffer.from(text);
}

export const messageOf = (vector: Bytes & { header: string }): Buffer =>
  Buffer.concat([Buffer.from(vector.header, 'hex'), payloadOf(vector)]);

/** A frame of a conversation: type, stream, payload. */
export function readFrame(text: string): [FrameName, number, Buffer] {
  const [, type, stream, payload = ''] = /^(\w+) (\d+)(?: (.*))?$/s.exec(text) ?? [];
  const bytes = payload.startsWith('#') ? Buffer.from(payload.slice(1), 'hex') : Buffer.from(payload);
  return [type as FrameName, Number(stream), bytes];
}

/** What the receiving end reads. */
export const textOf = ({ body, text }: BodyVector): string => text ?? JSON.stringify(body);
