// Encrypts what must be kept but not readable from a copy of the database: AES-256-GCM, key outside the database.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export interface Seal {
  /** @returns `v1.<nonce>.<tag>.<ciphertext>` in base64url */
  seal(text: string): string;
  /** Throws when the text was not sealed with this key or was changed. */
  open(sealed: string): string;
}

/** @param key 32 bytes */
export function makeSeal(key: Buffer): Seal {
  if (key.length !== 32) throw new Error(`seal: the key has ${key.length} bytes, 32 are needed`);
  return {
    seal(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return ['v1', ...[nonce, cipher.getAuthTag(), body].map((part) => part.toString('base64url'))].join('.');
    },
    open(sealed) {
      const [version, nonce, tag, body] = sealed.split('.');
      if (version !== 'v1' || nonce === undefined || tag === undefined || body === undefined)
        throw new Error('seal: not a sealed text');
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
      decipher.setAuthTag(Buffer.from(tag, 'base64url'));
      return Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString('utf8');
    },
  };
}
