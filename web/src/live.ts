// Changes as they happen: /api/events updates the query cache; while it is away, the page asks again by itself.
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { SessionEvent, type SessionDetail, type SessionView } from '../../contract/api.ts';

/** @returns whether the stream is up */
export function useLiveSessions(enabled: boolean): boolean {
  const queries = useQueryClient();
  const [up, setUp] = useState(true);
  useEffect(() => {
    if (!enabled) return;
    const source = new EventSource('/api/events');
    let slow: number | undefined;
    source.addEventListener('open', () => {
      window.clearTimeout(slow);
      slow = undefined;
      setUp(true);
      void queries.invalidateQueries({ queryKey: ['sessions'] });
    });
    source.addEventListener('error', () => {
      slow ??= window.setTimeout(() => setUp(false), 4000);
      if (source.readyState === EventSource.CLOSED) void queries.invalidateQueries({ queryKey: ['me'] });
    });
    source.addEventListener('session', (event: MessageEvent<string>) => {
      const parsed = SessionEvent.safeParse(JSON.parse(event.data));
      if (!parsed.success) return;
      const { sessionId, session, row } = parsed.data;
      queries.setQueryData<SessionView[]>(['sessions'], (list) => merge(list, sessionId, session));
      queries.setQueryData<SessionDetail>(['sessions', sessionId], (detail) => {
        if (!detail || !session) return detail;
        const known = row === null || detail.timeline.some((one) => one.id === row.id);
        return { ...detail, ...session, timeline: known ? detail.timeline : [...detail.timeline, row] };
      });
    });
    return () => {
      window.clearTimeout(slow);
      source.close();
    };
  }, [enabled, queries]);
  return up;
}

function merge(list: SessionView[] | undefined, id: string, session: SessionView | null): SessionView[] | undefined {
  if (!list) return list;
  if (!session) return list.filter((one) => one.id !== id);
  return list.some((one) => one.id === id) ? list.map((one) => (one.id === id ? session : one)) : [session, ...list];
}
