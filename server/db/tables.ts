// Every table, as TypeScript sees it. Columns are snake_case in the database (CamelCasePlugin maps them).
// Times are epoch milliseconds, booleans 0/1, JSON is text: both engines agree. Secrets are SHA-256 hex or encrypted (db/seal.ts).
import type { Generated } from 'kysely';

export interface Tables {
  installation: { key: string; value: string };
  users: {
    id: string;
    iss: string;
    sub: string;
    slug: string;
    name: string;
    email: string | null;
    groups: string; // JSON string[]
    claims: string; // JSON of the claims that rules may look at
    createdAt: number;
    seenAt: number;
  };
  logins: {
    id: string;
    secretHash: string;
    userId: string;
    address: string;
    userAgent: string;
    createdAt: number;
    seenAt: number;
    /** Absolute end (7 d; 12 h when there is no refresh token). */
    endsAt: number;
    endedAt: number | null;
    endReason: string | null;
    /** Last good answer of the IAM. */
    iamOkAt: number;
    /** Sealed JSON {refreshToken?, idToken, accessToken?, accessEndsAt?}. */
    sealedTokens: string;
    acr: string | null;
    authTime: number | null;
    groups: string; // JSON string[], as of the last good IAM answer
  };
  pendingLogins: {
    stateHash: string;
    browserHash: string;
    sealed: string; // nonce, PKCE verifier
    toPath: string;
    createdAt: number;
    endsAt: number;
  };
  iamRecords: {
    model: string;
    id: string;
    payload: string;
    grantId: string | null;
    userCode: string | null;
    uid: string | null;
    endsAt: number | null;
    consumedAt: number | null;
  };
  tokens: {
    id: string;
    secretHash: string;
    userId: string;
    name: string;
    scopes: string;
    createdAt: number;
    endsAt: number | null;
    usedAt: number | null;
    revokedAt: number | null;
  };
  sessions: {
    id: string;
    userId: string;
    profileId: string;
    profileTitle: string;
    site: string;
    siteTitle: string;
    /** Host name without port, unique among sessions that have not given it back. */
    host: string;
    title: string;
    resources: string;
    spec: string; // JSON StoredSpec
    situation: string; // JSON, see sessions/situation.ts
    state: string;
    cause: string | null;
    words: string;
    jobId: string | null;
    node: string | null;
    acr: string | null;
    authTime: number | null;
    project: string | null;
    loginId: string | null;
    createdAt: number;
    updatedAt: number;
    readyAt: number | null;
    endedAt: number | null;
    endsAt: number | null;
    activeAt: number;
    deletedAt: number | null;
  };
  timeline: {
    id: Generated<number>;
    sessionId: string;
    userId: string;
    at: number;
    state: string;
    words: string;
    cause: string | null;
    raw: string | null;
  };
  /** Inbox: what spawners and agents reported and the leader has not yet drained. */
  facts: {
    id: Generated<number>;
    sessionId: string;
    at: number;
    source: string;
    body: string;
    drainedAt: number | null;
  };
  enrolments: {
    sessionId: string;
    tokenHash: string;
    keyHash: string | null;
    epoch: number;
    createdAt: number;
    usedAt: number | null;
    /** Set when the session ends: from then on a tombstone that answers 410. */
    endedAt: number | null;
    removeAt: number | null;
  };
  entries: {
    id: string;
    secretHash: string;
    sessionId: string;
    loginId: string;
    userId: string;
    role: string;
    createdAt: number;
    seenAt: number;
    endedAt: number | null;
    endReason: string | null;
  };
  entryCodes: {
    codeHash: string;
    sessionId: string;
    loginId: string;
    userId: string;
    stateHash: string;
    toPath: string;
    role: string;
    endsAt: number;
    usedAt: number | null;
  };
  idempotencyKeys: {
    userId: string;
    key: string;
    requestHash: string;
    status: number;
    body: string;
    createdAt: number;
  };
  tunnels: { id: string; kind: string; epoch: number; owner: string; connectedAt: number; seenAt: number };
  localProcesses: {
    sessionId: string;
    pid: number;
    startTime: string;
    bootId: string;
    directory: string;
    createdAt: number;
    site: string;
    settledAt: number | null;
  };
  /** Which owner had a host of a fixed pool, so that a name is not given to another one within 24 h. */
  hostUses: { host: string; userId: string; sessionId: string; freedAt: number | null; cleared: number };
  leases: { name: string; owner: string; endsAt: number };
  audit: {
    id: Generated<number>;
    at: number;
    action: string;
    userId: string | null;
    loginId: string | null;
    sessionId: string | null;
    podUid: string | null;
    jobId: string | null;
    node: string | null;
    address: string | null;
    detail: string;
  };
}
