// Rights asked of the IAM again (OpenID Connect Core 1.0 section 12): one refresh at a time per login, a pause after a failure, nobody waits long.
import type { Database } from '../db/open.ts';
import type { Seal } from '../db/seal.ts';
import type { Tables } from '../db/tables.ts';
import { backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { findUser } from '../users/store.ts';
import type { User } from '../users/user.ts';
import type { Answer, Oidc, Tokens } from './oidc.ts';
import type { Policy, Subject } from './policy.ts';

export type LoginRow = Tables['logins'];

/** How long a request waits for the IAM before it is answered from the row. */
export const patienceMs = 1000;
/** Refreshes at once in a sweep; when none of them gets an answer the rest waits for the next sweep. */
export const parallel = 8;
/** A sweep also asks about what falls due before the next one. */
const aheadMs = 60_000;
/** After a failure a login is asked about again in 5 to 60 s. */
const pauseMs = (failures: number): number => 5000 + backoff(failures, { firstMs: 5000, factor: 2, capMs: 55_000 });

type Outcome = 'good' | 'ended' | 'silent' | 'skipped';
type Reason = 'iam-ended' | 'no-longer-allowed' | 'unreadable';

export interface RecheckOptions {
  db: Database;
  seal: Seal;
  clock: Clock;
  log: Log;
  oidc: Pick<Oidc, 'refresh'>;
  policy: Policy;
  /** Updates the person from fresh claims; returns the person. */
  refreshUser: (answer: Answer) => Promise<{ user: User; subject: Subject }>;
  recheckSeconds: number;
  end: (row: LoginRow, reason: Reason) => Promise<void>;
}

/** @returns the tokens of a login, or undefined when its row cannot be opened with our key */
export function tokensOf(row: LoginRow, seal: Seal): Partial<Tokens> | undefined {
  try {
    return JSON.parse(seal.open(row.sealedTokens)) as Partial<Tokens>;
  } catch {
    return undefined;
  }
}

export class Recheck {
  readonly #options: RecheckOptions;
  readonly #running = new Map<string, { done: Promise<Outcome>; soon: Promise<void> }>();
  readonly #failed = new Map<string, { count: number; notBefore: number }>();

  constructor(options: RecheckOptions) {
    this.#options = options;
  }

  /** Whether the last good answer is too old, and no failure so recent that asking would be in vain. */
  isDue(row: LoginRow): boolean {
    return row.iamOkAt + this.#options.recheckSeconds * 1000 <= this.#options.clock.now() && !this.#pauses(row.id);
  }

  /** Asks, and waits for the answer as long as a request may; never rejects. An IAM that does not answer changes nothing. */
  ask(row: LoginRow): Promise<void> {
    return this.#begin(row).soon;
  }

  /** Asks about logins that carry open sockets or were used lately. During an outage it gives up early. */
  async sweep(): Promise<void> {
    const { db, clock, recheckSeconds } = this.#options;
    const now = clock.now();
    const rows = await db
      .selectFrom('logins')
      .selectAll()
      .where('endedAt', 'is', null)
      .where('iamOkAt', '<=', now - Math.max(recheckSeconds * 1000 - aheadMs, recheckSeconds * 500))
      .where((eb) =>
        eb.or([
          eb('seenAt', '>', now - recheckSeconds * 2000),
          eb.exists(
            eb
              .selectFrom('entries')
              .select('entries.id')
              .whereRef('entries.loginId', '=', 'logins.id')
              .where('entries.endedAt', 'is', null),
          ),
        ]),
      )
      .execute();
    // Who has failed before comes last: a few that always fail must not keep the others from being asked.
    const failures = (row: LoginRow): number => this.#failed.get(row.id)?.count ?? 0;
    const queue = rows.filter((row) => !this.#pauses(row.id)).sort((a, b) => failures(a) - failures(b));
    while (queue.length > 0) {
      const outcomes = await Promise.all(queue.splice(0, parallel).map((row) => this.#begin(row).done));
      if (outcomes.includes('silent') && !outcomes.includes('good') && !outcomes.includes('ended')) return;
    }
  }

  /** A login has ended: its failures are of no interest any more. */
  forget(loginId: string): void {
    this.#failed.delete(loginId);
  }

  // ---- private

  #pauses(loginId: string): boolean {
    return (this.#failed.get(loginId)?.notBefore ?? 0) > this.#options.clock.now();
  }

  #begin(row: LoginRow): { done: Promise<Outcome>; soon: Promise<void> } {
    const running = this.#running.get(row.id);
    if (running) return running;
    const done = this.#refresh(row)
      .catch((error: unknown) => this.#fail(row, error))
      .finally(() => this.#running.delete(row.id));
    const soon = new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(patienceMs, resolve);
      void done.then(() => {
        timer.close();
        resolve();
      });
    });
    const begun = { done, soon };
    this.#running.set(row.id, begun);
    return begun;
  }

  async #refresh(seen: LoginRow): Promise<Outcome> {
    const { db, seal, clock, oidc, policy, refreshUser, end } = this.#options;
    const row = await db.selectFrom('logins').selectAll().where('id', '=', seen.id).executeTakeFirst();
    // Read again: another refresh may have used up the token that the caller saw.
    if (!row || row.endedAt !== null || row.iamOkAt !== seen.iamOkAt) return 'skipped';
    const tokens = tokensOf(row, seal);
    if (!tokens) {
      await end(row, 'unreadable');
      return 'ended';
    }
    if (tokens.refreshToken === undefined) return 'skipped'; // frozen; its life is capped
    const user = await findUser(db, row.userId);
    if (!user) return 'skipped';
    const update = (values: Partial<LoginRow>): Promise<unknown> =>
      db.updateTable('logins').set(values).where('id', '=', row.id).where('endedAt', 'is', null).execute();
    const answer = await oidc.refresh(tokens.refreshToken, user.sub, async (fresh) => {
      await update({ sealedTokens: seal.seal(JSON.stringify({ ...tokens, ...fresh })) });
    });
    if (answer === 'ended') {
      await end(row, 'iam-ended');
      return 'ended';
    }
    const fresh = await refreshUser(answer);
    await update({ iamOkAt: clock.now(), groups: JSON.stringify(fresh.user.groups) });
    this.#failed.delete(row.id);
    if (policy.mayLogIn(fresh.subject)) return 'good';
    await end(row, 'no-longer-allowed');
    return 'ended';
  }

  #fail(row: LoginRow, error: unknown): Outcome {
    const { clock, log } = this.#options;
    const count = (this.#failed.get(row.id)?.count ?? 0) + 1;
    this.#failed.set(row.id, { count, notBefore: clock.now() + pauseMs(count - 1) });
    log.warn({ err: error, login: row.id }, 'rights could not be asked again; the last answer stays');
    return 'silent';
  }
}
