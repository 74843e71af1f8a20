// Changes as they happen: /api/events updates the query cache; while it is away, the page asks again by itself.
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { SessionEvent, type SessionDetail, type SessionView } from '../../contract/api.ts';

const pollMilliseconds = 15_000;
const againMilliseconds = [500, 1000, 2000, 4000, 8000, 15_000];

/** @returns whether the stream is up */
export function useLiveSessions(enabled: boolean): boolean {
  const queries = useQueryClient();
  const [up, setUp] = useState(true);
  useEffect(() => {
    if (!enabled) return;
    const askAgain = (): void => void queries.invalidateQueries({ queryKey: ['sessions'] });
    const stream = keepOpen('/api/events', {
      up: (isUp) => {
        setUp(isUp);
        if (isUp) askAgain();
      },
      // Refused: perhaps the login has ended.
      refused: () => void queries.invalidateQueries({ queryKey: ['me'] }),
      event: (text) => {
        const parsed = SessionEvent.safeParse(JSON.parse(text));
        if (!parsed.success) return;
        const { sessionId, session, row } = parsed.data;
        queries.setQueryData<SessionView[]>(['sessions'], (list) => merge(list, sessionId, session));
        queries.setQueryData<SessionDetail>(['sessions', sessionId], (detail) => {
          if (!detail || !session) return detail;
          const known = row === null || detail.timeline.some((one) => one.id === row.id);
          return { ...detail, ...session, timeline: known ? detail.timeline : [...detail.timeline, row] };
        });
        // An answer on its way may be older than this event and would take it back.
        if (queries.isFetching({ queryKey: ['sessions'] }) > 0) askAgain();
      },
    });
    const poll = window.setInterval(() => stream.isUp() || askAgain(), pollMilliseconds);
    return () => {
      window.clearInterval(poll);
      stream.close();
    };
  }, [enabled, queries]);
  return up;
}

interface Listener {
  up(isUp: boolean): void;
  refused(): void;
  event(text: string): void;
}

/** An EventSource gives up for good after any answer but 200, also after a 503 of a server that restarts; this one does not. */
function keepOpen(url: string, listener: Listener): { isUp(): boolean; close(): void } {
  let source: EventSource | undefined;
  let slow: number | undefined;
  let again: number | undefined;
  let failures = 0;
  const open = (): void => {
    const mine = (source = new EventSource(url));
    mine.addEventListener('open', () => {
      window.clearTimeout(slow);
      slow = undefined;
      failures = 0;
      listener.up(true);
    });
    mine.addEventListener('error', () => {
      slow ??= window.setTimeout(() => listener.up(false), 4000);
      if (mine.readyState !== EventSource.CLOSED) return;
      listener.refused();
      again = window.setTimeout(open, againMilliseconds[Math.min(failures++, againMilliseconds.length - 1)]);
    });
    mine.addEventListener('session', (event: MessageEvent<string>) => listener.event(event.data));
  };
  open();
  return {
    isUp: () => source?.readyState === EventSource.OPEN,
    close: () => {
      window.clearTimeout(slow);
      window.clearTimeout(again);
      source?.close();
    },
  };
}

function merge(list: SessionView[] | undefined, id: string, session: SessionView | null): SessionView[] | undefined {
  if (!list) return list;
  if (!session) return list.filter((one) => one.id !== id);
  return list.some((one) => one.id === id) ? list.map((one) => (one.id === id ? session : one)) : [session, ...list];
}
