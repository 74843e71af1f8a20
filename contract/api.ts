// Bodies of the portal's API: what the page sends and gets. Times are ISO 8601 strings, keys camelCase.
import { z } from 'zod';
import { Cause, SessionState } from './states.ts';

const Time = z.iso.datetime();

/** 16 characters of RFC 4648 base32 in lower case. */
export const SessionId = z.string().regex(/^[a-z2-7]{16}$/, 'a session id has 16 characters of a-z and 2-7');

export const Me = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string().nullable(),
  groups: z.array(z.string()),
  isAdmin: z.boolean(),
  loginId: z.string(),
  quota: z.object({ sessions: z.number().int(), sessionsUsed: z.number().int() }),
});
export type Me = z.infer<typeof Me>;

export const LoginView = z.object({
  id: z.string(),
  isThis: z.boolean(),
  createdAt: Time,
  seenAt: Time,
  endsAt: Time,
  address: z.string(),
  userAgent: z.string(),
});
export type LoginView = z.infer<typeof LoginView>;

export const SiteView = z.object({
  name: z.string(),
  title: z.string(),
  class: z.enum(['cloud', 'hpc']),
  health: z.enum(['ok', 'degraded', 'down', 'unknown']),
  message: z.string().nullable(),
});
export type SiteView = z.infer<typeof SiteView>;

export const ProfileView = z.object({
  id: z.string(),
  title: z.string(),
  description: z.string(),
  icon: z.string().nullable(),
  site: SiteView,
  /** One line for the card, for example "2 CPUs · 4 GiB". */
  resources: z.string(),
});
export type ProfileView = z.infer<typeof ProfileView>;

export const SessionView = z.object({
  id: SessionId,
  title: z.string(),
  state: SessionState,
  cause: Cause.nullable(),
  profile: z.object({ id: z.string(), title: z.string() }),
  site: z.object({ name: z.string(), title: z.string() }),
  resources: z.string(),
  /** Address of the session's own host; it answers with pages for every state. */
  url: z.url(),
  jobId: z.string().nullable(),
  node: z.string().nullable(),
  createdAt: Time,
  /** When the application was exec'ed, and when it gave its first answer on its own socket; by the clock of its machine. */
  appStartedAt: Time.nullable(),
  appAnsweredAt: Time.nullable(),
  readyAt: Time.nullable(),
  endedAt: Time.nullable(),
  /** When the session ends by a limit, if one is known. */
  endsAt: Time.nullable(),
  /** Last sentence of the timeline, for the card. */
  words: z.string(),
});
export type SessionView = z.infer<typeof SessionView>;

export const TimelineRow = z.object({
  id: z.number().int(),
  at: Time,
  state: SessionState,
  words: z.string(),
  cause: Cause.nullable(),
  raw: z.unknown().optional(),
});
export type TimelineRow = z.infer<typeof TimelineRow>;

export const SessionDetail = SessionView.extend({ timeline: z.array(TimelineRow) });
export type SessionDetail = z.infer<typeof SessionDetail>;

/** POST /api/sessions. `choices` is filled by the options of the breadth issue; today every key is refused. */
export const StartSessionBody = z.strictObject({
  profile: z.string().min(1).max(64),
  title: z.string().trim().min(1).max(80).optional(),
  choices: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});
export type StartSessionBody = z.infer<typeof StartSessionBody>;

/** GET /api/sessions/{id}/log */
export const LogView = z.object({ lines: z.array(z.string()) });
export type LogView = z.infer<typeof LogView>;

/** data of an event on GET /api/events (`event: session`, id = timeline row id; the stream survives restarts by Last-Event-ID). */
export const SessionEvent = z.object({
  session: SessionView.nullable(),
  sessionId: SessionId,
  row: TimelineRow.nullable(),
});
export type SessionEvent = z.infer<typeof SessionEvent>;

/** Lists of the API. `next` is an opaque cursor or null. */
export const listOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().nullable() });
