// The one interface between sessions and whatever runs them. Facts go up, orders go down.
import type { SessionSpec } from './spec.ts';

export interface Fact {
  sessionId: string;
  /** Epoch milliseconds UTC. */
  at: number;
  kind: 'submitted' | 'accepted' | 'queued' | 'booting' | 'preparing' | 'running' | 'ended' | 'unknown';
  jobId?: string;
  node?: string;
  reason?: string;
  message?: string;
  estimate?: number;
  endsAt?: number;
  exit?: { cause: ExitCause; code?: number; signal?: string };
  raw?: unknown;
}

export type ExitCause =
  'exited' | 'walltime' | 'cancelled' | 'preempted' | 'oom' | 'nodeFailure' | 'imageError' | 'refused' | 'unknown';

export interface SiteHealth {
  health: 'ok' | 'degraded' | 'down' | 'unknown';
  message: string | null;
}

export interface Spawner {
  /** Idempotent by spec.sessionId. Throws PortalError with a cause that a person understands. */
  start(spec: SessionSpec): Promise<void>;
  /** Idempotent. Resolves when the site has confirmed that nothing is left. */
  stop(sessionId: string, how: { graceSeconds: number }): Promise<void>;
  /** Replays what exists (adoption), calls synced, then reports changes; survives outages. Absence counts only after synced. */
  observe(see: { report: (fact: Fact) => void; synced: () => void }): { close(): void | Promise<void> };
  /** Lines of the log, oldest first; stays readable after the end. With follow it goes on until the caller returns or the session ends. */
  logs(sessionId: string, want: { tailLines: number; follow: boolean; signal?: AbortSignal }): AsyncIterable<string>;
  /** Removes what is kept for an ended session (logs, exit record). Idempotent. */
  forget(sessionId: string): Promise<void>;
  check(): Promise<SiteHealth>;
}
