import { Counter, type Registry } from 'prom-client';

/** Series of requests, for the portal and for session hosts. */
export function httpSeries(registry: Registry) {
  return {
    requests: new Counter({
      name: 'linkspan_http_requests_total',
      help: 'Answered requests by part and class of status.',
      labelNames: ['part', 'status'],
      registers: [registry],
    }),
  };
}
