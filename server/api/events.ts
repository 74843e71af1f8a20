// GET /api/events: changes of one's sessions as they happen. The id is the timeline row's, so a stream survives restarts.
import type { Request, RequestHandler } from 'express';
import type { Who } from '../auth/who.ts';
import { openSse } from '../http/sse.ts';
import type { Clock } from '../lib/clock.ts';
import type { Sessions, SessionRow, TimelineEntry } from '../sessions/index.ts';
import { presentSession, presentTimeline } from './present.ts';

export interface EventsOptions {
  sessions: Sessions;
  originOf: (host: string) => string;
  who: (request: Request) => Who;
  onLoginEnded: (tell: (login: { loginId: string }) => void) => { close(): void };
  clock: Clock;
}

export function eventsApi({ sessions, originOf, who, onLoginEnded, clock }: EventsOptions): RequestHandler {
  return async (request, response) => {
    const { user, login } = who(request);
    const stream = openSse(request, response, clock);
    const send = (session: SessionRow, row: TimelineEntry | null): void =>
      stream.send({
        ...(row ? { id: row.id } : {}),
        event: 'session',
        data: {
          sessionId: session.id,
          session: session.deletedAt === null ? presentSession(session, originOf) : null,
          row: row && presentTimeline(row),
        },
      });

    // Live changes wait until what was missed has been sent, so that ids only grow.
    let waiting: [SessionRow, TimelineEntry | null][] | undefined = [];
    let lastId = lastEventId(request);
    const watch = sessions.onChange(({ session, row }) => {
      if (session.userId !== user.id) return;
      if (waiting) waiting.push([session, row]);
      else send(session, row);
    });
    const login$ = onLoginEnded((ended) => ended.loginId === login.id && stream.close());
    stream.onClose(() => {
      watch.close();
      login$.close();
    });
    if (lastId !== undefined) {
      for (const row of await sessions.timelineAfter(user.id, lastId)) {
        const session = await sessions.store.find(row.sessionId);
        if (session) send(session, row);
        lastId = row.id;
      }
    }
    for (const [session, row] of waiting) if (!row || lastId === undefined || row.id > lastId) send(session, row);
    waiting = undefined;
  };
}

function lastEventId(request: Request): number | undefined {
  const text =
    request.get('last-event-id') ?? (typeof request.query['after'] === 'string' ? request.query['after'] : undefined);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
