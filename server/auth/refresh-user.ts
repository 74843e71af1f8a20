// From the claims of an answer to the person that we know: made at the first login, brought up to date at every other.
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { upsertUser } from '../users/store.ts';
import type { User } from '../users/user.ts';
import type { Answer } from './oidc.ts';
import { groupsAt, type Subject } from './policy.ts';

/** @param claimsOf where groups and the name stand in the claims */
export function makeRefreshUser(
  db: Database,
  clock: Clock,
  claimsOf: { groupsClaim: string; nameClaim: string },
): (answer: Pick<Answer, 'claims'>) => Promise<{ user: User; subject: Subject }> {
  return async ({ claims }) => {
    const groups = groupsAt(claims, claimsOf.groupsClaim);
    const text = (name: string): string | undefined =>
      typeof claims[name] === 'string' && claims[name] !== '' ? claims[name] : undefined;
    const name = text(claimsOf.nameClaim) ?? text('preferred_username') ?? text('email') ?? claims.sub;
    const identity = {
      iss: claims.iss,
      sub: claims.sub,
      name,
      email: text('email') ?? null,
      preferredName: text('preferred_username') ?? name,
      groups,
      claims,
    };
    return { user: await upsertUser(db, identity, clock.now()), subject: { groups, claims } };
  };
}
