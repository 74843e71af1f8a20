// Logins over a real database with an IAM that a test scripts: it answers, fails, hangs, and says how often it was asked.
import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { Entries } from '../../server/auth/entries.ts';
import { Logins } from '../../server/auth/logins.ts';
import type { Answer, Tokens } from '../../server/auth/oidc.ts';
import { makePolicy } from '../../server/auth/policy.ts';
import { openDatabase, type Database } from '../../server/db/open.ts';
import { makeSeal } from '../../server/db/seal.ts';
import { makeCookieJar } from '../../server/http/cookies.ts';
import { makeLog } from '../../server/lib/log.ts';
import { upsertUser } from '../../server/users/store.ts';
import type { User } from '../../server/users/user.ts';
import { movableClock, type MovableClock } from './clock.ts';

export interface ScriptedIam {
  /** 'silence' = asked, and no answer until `release`. */
  mode: 'answers' | 'fails' | 'silence';
  groups: string[];
  /** Refresh tokens in the order in which they were used. */
  used: string[];
  /** How many questions were open at once at most. */
  most: number;
  /** Every open question fails now. */
  release: () => void;
}

export interface TestLogins {
  db: Database;
  clock: MovableClock;
  logins: Logins;
  entries: Entries;
  iam: ScriptedIam;
  ended: { loginId: string; reason: string }[];
  /** A new login of a new person. */
  login: () => Promise<{ id: string; user: User }>;
  /** An entry of a login: an open socket may hang on it. */
  entry: (login: { id: string; user: User }) => Promise<void>;
  /** Another server on the same database, with a key of its own. */
  withOtherKey: () => Logins;
}

const minute = 60_000;

/** Rights are asked again after 15 minutes and count for 24 hours; `staff` gets in. */
export async function testLogins(): Promise<TestLogins> {
  const db = await openDatabase('sqlite::memory:');
  onTestFinished(() => db.destroy());
  const clock = movableClock();
  const open: (() => void)[] = [];
  let tokens = 0;
  const iam: ScriptedIam = {
    mode: 'answers',
    groups: ['staff'],
    used: [],
    most: 0,
    release: () => {
      for (const fail of open.splice(0)) fail();
    },
  };
  const answerOf = (sub: string): Answer => ({
    claims: { iss: 'https://iam.example.org', sub },
    tokens: { accessToken: 'a', refreshToken: `refresh-${(tokens += 1)}` },
  });
  const refresh = async (token: string, sub: string, keep: (tokens: Tokens) => Promise<void>): Promise<Answer> => {
    iam.used.push(token);
    if (iam.mode === 'fails') throw new Error('scripted: no answer');
    if (iam.mode === 'silence') {
      await new Promise<void>((_resolve, reject) => {
        open.push(() => reject(new Error('scripted: no answer in time')));
        iam.most = Math.max(iam.most, open.length);
      });
    }
    const answer = answerOf(sub);
    await keep(answer.tokens);
    return answer;
  };
  const identity = (sub: string) => ({
    iss: 'https://iam.example.org',
    sub,
    name: sub,
    email: null,
    preferredName: sub,
    groups: iam.groups,
    claims: {},
  });
  const make = (key: Buffer): Logins =>
    new Logins({
      db,
      seal: makeSeal(key),
      clock,
      log: makeLog('silent'),
      cookies: makeCookieJar(new URL('http://localhost:8000')),
      oidc: { refresh, revoke: () => Promise.resolve() },
      policy: makePolicy([{ groups: { any: ['staff'] } }], [], false),
      refreshUser: async ({ claims }) => ({
        user: await upsertUser(db, identity(claims.sub), clock.now()),
        subject: { groups: iam.groups, claims },
      }),
      idleSeconds: 12 * 3600,
      maxSeconds: 7 * 86_400,
      recheckSeconds: (15 * minute) / 1000,
      trustSeconds: 86_400,
    });
  const logins = make(randomBytes(32));
  const entries = new Entries({ db, clock, isValid: (id) => logins.isValid(id) });
  const ended: TestLogins['ended'] = [];
  logins.onEnded((end) => void ended.push(end));
  let people = 0;
  return {
    db,
    clock,
    logins,
    entries,
    iam,
    ended,
    login: async () => {
      const answer = answerOf(`person-${(people += 1)}`);
      const user = await upsertUser(db, identity(answer.claims.sub), clock.now());
      const made = await logins.create(user, answer, { address: '127.0.0.1', userAgent: '' });
      return { id: made.id, user };
    },
    entry: async ({ id, user }) => {
      const login = { id, createdAt: 0, endsAt: 0, acr: null, authTime: null };
      const want = { sessionId: 's'.repeat(16), who: { user, isAdmin: false, login }, to: '/', role: 'owner' as const };
      const code = await entries.issueCode({ ...want, stateHash: 'x' });
      await entries.redeem({ code, sessionId: want.sessionId, stateHash: 'x' });
    },
    withOtherKey: () => make(randomBytes(32)),
  };
}
