import { Counter, Gauge, type Registry } from 'prom-client';

/** Series of tunnels. */
export function tunnelSeries(registry: Registry) {
  const registers = [registry];
  return {
    tunnels: new Gauge({ name: 'linkspan_tunnels', help: 'Tunnels that are up.', registers }),
    streams: new Gauge({ name: 'linkspan_tunnel_streams', help: 'Open streams in all tunnels.', registers }),
    bytes: new Counter({
      name: 'linkspan_tunnel_bytes_total',
      help: 'Payload bytes through tunnels.',
      labelNames: ['direction'],
      registers,
    }),
    resets: new Counter({
      name: 'linkspan_tunnel_resets_total',
      help: 'Streams reset, by code.',
      labelNames: ['code'],
      registers,
    }),
  };
}
