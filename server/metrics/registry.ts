// The registry of all series; one file per group of series fills it.
import { collectDefaultMetrics, Registry } from 'prom-client';

/** @returns a registry with Node's own series (memory, event loop, handles) */
export function makeRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
