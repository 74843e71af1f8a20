import type { Clock } from '../../server/lib/clock.ts';

/** A clock that stands still until a test moves it; timers fire in their order while it moves. */
export interface HandClock extends Clock {
  advance(milliseconds: number): void;
  /** Timers that have neither fired nor been closed. */
  readonly timers: number;
}

export function handClock(start = Date.UTC(2026, 0, 1)): HandClock {
  const timers = new Set<{ at: number; call: () => void }>();
  let now = start;
  const after = (milliseconds: number, call: () => void): { close(): void } => {
    const timer = { at: now + milliseconds, call };
    timers.add(timer);
    return { close: () => void timers.delete(timer) };
  };
  return {
    now: () => now,
    after,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        const timer = after(milliseconds, resolve);
        signal?.addEventListener('abort', () => {
          timer.close();
          reject(signal.reason as Error);
        });
      }),
    advance: (milliseconds) => {
      const end = now + milliseconds;
      for (;;) {
        const next = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.call();
      }
      now = end;
    },
    get timers() {
      return timers.size;
    },
  };
}
