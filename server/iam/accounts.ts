// Demo people: passwords made at first start, kept only as scrypt hashes.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Database } from '../db/open.ts';
import { base32Id } from '../lib/ids.ts';

const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number) => Promise<Buffer>;

export interface Account {
  /** The subject; never changes. */
  sub: string;
  username: string;
  name: string;
  email: string;
  groups: string[];
}

const people: Omit<Account, 'sub'>[] = [
  { username: 'ada', name: 'Ada Lovelace', email: 'ada@example.org', groups: ['staff', 'hpc-users'] },
  { username: 'bela', name: 'Bela Bartok', email: 'bela@example.org', groups: ['staff'] },
  { username: 'cora', name: 'Cora Diaz', email: 'cora@example.org', groups: [] },
];

interface Stored extends Account {
  salt: string;
  hash: string;
}

export interface Accounts {
  /** Only at first start: names and passwords, to be printed once. */
  fresh: { username: string; password: string }[];
  find(sub: string): Promise<Account | undefined>;
  /** Checks a password; takes as long for an unknown name. */
  check(username: string, password: string): Promise<Account | undefined>;
}

/** Loads the accounts, and makes the demo people where there are none yet. */
export async function makeAccounts(db: Database): Promise<Accounts> {
  const load = async (): Promise<Stored[]> =>
    (await db.selectFrom('iamRecords').select('payload').where('model', '=', 'Account').execute()).map(
      (row) => JSON.parse(row.payload) as Stored,
    );
  const fresh: Accounts['fresh'] = [];
  if ((await load()).length === 0) {
    for (const person of people) {
      const password = [base32Id(5), base32Id(5), base32Id(5)].join('-');
      const salt = randomBytes(16);
      const hash = await derive(password, salt, 32);
      const account: Stored = {
        sub: base32Id(16),
        ...person,
        salt: salt.toString('base64'),
        hash: hash.toString('base64'),
      };
      await db
        .insertInto('iamRecords')
        .values({
          model: 'Account',
          id: account.sub,
          payload: JSON.stringify(account),
          grantId: null,
          userCode: null,
          uid: null,
          endsAt: null,
          consumedAt: null,
        })
        .execute();
      fresh.push({ username: person.username, password });
    }
  }
  const decoy = { salt: randomBytes(16).toString('base64'), hash: randomBytes(32).toString('base64') };
  return {
    fresh,
    find: async (sub) => (await load()).find((account) => account.sub === sub),
    async check(username, password) {
      const account = (await load()).find((one) => one.username === username);
      const { salt, hash } = account ?? decoy;
      const derived = await derive(password.slice(0, 256), Buffer.from(salt, 'base64'), 32);
      return timingSafeEqual(derived, Buffer.from(hash, 'base64')) ? account : undefined;
    },
  };
}
