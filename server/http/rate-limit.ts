// So many calls of one kind in a time, by whatever names the caller.
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { PortalError } from '../../contract/errors.ts';

/**
 * @param points calls that one key may make in the given seconds
 * @returns counts a call of a key; throws rate-limited for one too many
 */
export function makeRateLimit(points: number, seconds: number): (key: string) => Promise<void> {
  const limiter = new RateLimiterMemory({ points, duration: seconds });
  return async (key) => {
    try {
      await limiter.consume(key);
    } catch (error) {
      const waitMs = error instanceof RateLimiterRes ? error.msBeforeNext : seconds * 1000;
      throw new PortalError('rate-limited', { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) });
    }
  };
}
