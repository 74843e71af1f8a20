// Who did what: one row per event, from the first day.
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

export const auditActions = [
  'login',
  'login-refused',
  'logout',
  'login-revoked',
  'session-start',
  'session-stop',
  'entry',
  'enrolment-conflict',
] as const;
export type AuditAction = (typeof auditActions)[number];

export interface AuditRow {
  action: AuditAction;
  userId?: string | null;
  loginId?: string | null;
  sessionId?: string | null;
  podUid?: string | null;
  jobId?: string | null;
  node?: string | null;
  address?: string | null;
  /** JSON; no secrets. */
  detail?: unknown;
}

export type AuditWrite = (row: AuditRow) => Promise<void>;

/** A row that cannot be written does not stop the person, but stands in the log. */
export const makeAuditWrite =
  (db: Database, clock: Clock, log: Log): AuditWrite =>
  async ({ action, detail = {}, ...row }) => {
    const values = {
      userId: null,
      loginId: null,
      sessionId: null,
      podUid: null,
      jobId: null,
      node: null,
      address: null,
      ...row,
    };
    try {
      await db
        .insertInto('audit')
        .values({ at: clock.now(), action, ...values, detail: JSON.stringify(detail) })
        .execute();
    } catch (error) {
      log.error({ err: error, action, ...values }, 'audit row could not be written');
    }
  };
