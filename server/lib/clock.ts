import { setTimeout as sleepFor } from 'node:timers/promises';

/** Time as an argument, so that tests move it. Epoch milliseconds UTC. */
export interface Clock {
  now(): number;
  /** Resolves after the given milliseconds of this clock, or rejects with AbortError when the signal fires. Does not hold the process. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once; the handle's close cancels. Does not hold the process. */
  after(milliseconds: number, call: () => void): { close(): void };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (milliseconds, signal) => sleepFor(milliseconds, undefined, { ref: false, ...(signal ? { signal } : {}) }),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, Math.min(milliseconds, 2_147_483_647));
    timer.unref();
    return { close: () => clearTimeout(timer) };
  },
};
