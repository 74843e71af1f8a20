// What the server listens on: browsers and agents, a plain loopback port for agents of this machine, metrics.
import type { Registry } from 'prom-client';
import type { Settings } from './config/settings.ts';
import type { Dispatch } from './dispatch.ts';
import { listen } from './http/listen.ts';
import { sendProblem } from './http/problem.ts';
import type { Clock } from './lib/clock.ts';
import type { Log } from './lib/log.ts';

export interface ListenersOptions {
  settings: Settings;
  dispatch: Dispatch;
  registry: Registry;
  /** Gets what closes each listener. */
  closers: (() => void | Promise<void>)[];
  clock: Clock;
  log: Log;
}

/**
 * @returns the port of browsers and agents
 * @throws Error with a sentence naming the setting
 */
export async function openListeners(options: ListenersOptions): Promise<number> {
  const { settings, dispatch, registry, closers, clock, log } = options;
  const { config, agentPort } = settings;
  const listener = await listen({ host: config.listen.host, port: settings.port, tls: config.tls, clock, log });
  closers.push(() => listener.close());
  dispatch.attach(listener.server);
  if (agentPort !== null) {
    const forAgents = await listen({ host: '127.0.0.1', port: agentPort, key: 'listen.agentPort', clock, log });
    closers.push(() => forAgents.close());
    dispatch.attachForAgents(forAgents.server);
  }
  if (config.metrics.port !== undefined) {
    const { port } = config.metrics;
    const forMetrics = await listen({ host: '127.0.0.1', port, key: 'metrics.port', clock, log });
    closers.push(() => forMetrics.close());
    forMetrics.server.on('request', (_request, response) => {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
        (error: unknown) => sendProblem(response, error, log),
      );
    });
  }
  return listener.port;
}
