// Signing keys and cookie keys of the embedded issuer: made once, sealed in the database.
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Database } from '../db/open.ts';
import type { Seal } from '../db/seal.ts';
import { base32Id, secret } from '../lib/ids.ts';

export interface IamKeys {
  jwks: { keys: JWK[] };
  cookieKeys: string[];
  clientSecret: string;
}

export async function loadOrMakeIamKeys(db: Database, seal: Seal): Promise<IamKeys> {
  const row = await db
    .selectFrom('iamRecords')
    .select('payload')
    .where('model', '=', 'Keys')
    .where('id', '=', 'keys')
    .executeTakeFirst();
  if (row) return JSON.parse(seal.open(row.payload)) as IamKeys;
  const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  const keys: IamKeys = {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: base32Id(8), alg: 'RS256', use: 'sig' }] },
    cookieKeys: [secret()],
    clientSecret: secret(),
  };
  await db
    .insertInto('iamRecords')
    .values({
      model: 'Keys',
      id: 'keys',
      payload: seal.seal(JSON.stringify(keys)),
      grantId: null,
      userCode: null,
      uid: null,
      endsAt: null,
      consumedAt: null,
    })
    .execute();
  return keys;
}
