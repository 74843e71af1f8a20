// What the gateway needs to know from other rooms. app.ts passes it in; nothing here names a room to the left.
import type { Agent } from 'node:http';
import type { SessionState } from '../../contract/states.ts';

/** A session as the gateway sees it. */
export interface HostedSession {
  id: string;
  host: string;
  ownerId: string;
  title: string;
  profileId: string;
  state: SessionState;
  /** Plain words for the pages: last sentence of the timeline, or the cause. */
  words: string;
  /** Epoch milliseconds. */
  endsAt: number | null;
  /** The host is from a pool, had another owner before and has not yet been cleared in this browser's owner's name. */
  clearStorage: boolean;
}

export type Role = 'owner' | 'control' | 'view';

/** Who is behind an entry. */
export interface Visitor {
  entryId: string;
  loginId: string;
  userId: string;
  name: string;
  role: Role;
}

export type Redeemed =
  | { ok: true; secret: string; to: string; entryId: string; userId: string; loginId: string }
  | { ok: false; reason: 'unknown'; to?: undefined }
  | { ok: false; reason: 'used' | 'expired' | 'state-mismatch'; to: string };

/** The way to a session's application through its tunnel. */
export interface Dial {
  /** createConnection opens a stream to target `app`; free sockets never cross sessions or epochs. */
  agent: Agent;
  /** The app's secret from HELLO, sent as X-Linkspan-Secret. */
  secret: string;
  kind: 'jupyterlab' | 'argv';
}

export type Ended = { entryId: string } | { loginId: string } | { sessionId: string };

export interface Ports {
  sessionByHost(host: string): Promise<HostedSession | undefined>;
  /** Redeems a one-time code once; bound to session, login and browser state. */
  redeem(want: { code: string; sessionId: string; stateHash: string | undefined }): Promise<Redeemed>;
  /** The visitor of an entry cookie, or undefined when it is unknown, ended, or of another session. */
  admit(want: { secret: string; sessionId: string }): Promise<Visitor | undefined>;
  dial(sessionId: string): Dial | undefined;
  /** The browser has been told to clear the storage of a name that another owner had before. */
  cleared(sessionId: string): void;
  /** An entry was made: for the audit. */
  entered(what: { sessionId: string; address: string; entryId: string; userId: string; loginId: string }): void;
  /** Slides the parent login and marks the session as used by a person. */
  person(visitor: Visitor, sessionId: string): void;
  /** Told when rights end: open sockets of it are closed with 4403 (entry, login) or 4410 (session). */
  onEnded(tell: (what: Ended) => void): { close(): void };
}
