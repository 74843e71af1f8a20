import { systemClock, type Clock } from '../../server/lib/clock.ts';

/** The system's clock, moved ahead by what a test asks for; timers keep real time. */
export interface MovableClock extends Clock {
  advance(milliseconds: number): void;
}

export function movableClock(): MovableClock {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => Date.now() + ahead,
    advance: (milliseconds) => {
      ahead += milliseconds;
    },
  };
}
