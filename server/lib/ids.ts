// Identifiers and secrets. Secrets leave this process once; what is kept is their SHA-256.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** @returns `length` characters of RFC 4648 base32 in lower case, 5 random bits each. */
export function base32Id(length = 16): string {
  const bytes = randomBytes(length);
  let id = '';
  for (const byte of bytes) id += alphabet[byte & 31];
  return id;
}

/** @returns an id for a session: 16 characters `[a-z2-7]`. */
export const sessionId = (): string => base32Id(16);
/** @returns an id for a user: `u_` and 16 characters. */
export const userId = (): string => `u_${base32Id(16)}`;
/** @returns 256 random bits as base64url (43 characters). */
export const secret = (): string => randomBytes(32).toString('base64url');
/** @returns SHA-256 in lower-case hex: the form in which secrets are stored. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Compares two strings in constant time for equal lengths. */
export function sameSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
