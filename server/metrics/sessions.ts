import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Series of sessions. */
export function sessionSeries(registry: Registry) {
  const registers = [registry];
  return {
    changes: new Counter({
      name: 'linkspan_session_changes_total',
      help: 'Changes of session states, by the new state.',
      labelNames: ['state'],
      registers,
    }),
    live: new Gauge({ name: 'linkspan_sessions_live', help: 'Sessions that have not ended.', registers }),
    startSeconds: new Histogram({
      name: 'linkspan_session_start_seconds',
      help: 'Time from the order to ready.',
      buckets: [1, 2, 4, 8, 15, 30, 60, 300, 1800, 7200, 86_400],
      registers,
    }),
  };
}
