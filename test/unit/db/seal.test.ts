import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeSeal } from '../../../server/db/seal.ts';

test('a sealed text opens with the same key and shows nothing of itself', () => {
  const seal = makeSeal(randomBytes(32));
  const sealed = seal.seal('refresh-token-1');
  expect(sealed).not.toContain('refresh');
  expect(seal.open(sealed)).toBe('refresh-token-1');
  expect(seal.seal('refresh-token-1')).not.toBe(sealed);
});

test('another key, a changed text and a foreign form do not open', () => {
  const seal = makeSeal(randomBytes(32));
  const sealed = seal.seal('secret');
  expect(() => makeSeal(randomBytes(32)).open(sealed)).toThrow();
  const [version, nonce, tag, body] = sealed.split('.') as [string, string, string, string];
  const flipped = Buffer.from(body, 'base64url');
  flipped[0]! ^= 1;
  expect(() => seal.open([version, nonce, tag, flipped.toString('base64url')].join('.'))).toThrow();
  expect(() => seal.open('plain text')).toThrow('not a sealed text');
});

test('a key of another length is refused', () => {
  expect(() => makeSeal(randomBytes(31))).toThrow('31 bytes');
});
