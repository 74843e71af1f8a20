/**
 * Delay before a retry: exponential with full jitter.
 * @param attempt 0 for the first retry
 * @param options milliseconds and a source of randomness in [0, 1)
 * @returns milliseconds
 */
export function backoff(
  attempt: number,
  options: { firstMs?: number; factor?: number; capMs?: number; random?: () => number } = {},
): number {
  const { firstMs = 500, factor = 1.7, capMs = 15_000, random = Math.random } = options;
  return Math.min(capMs, firstMs * factor ** Math.min(attempt, 50)) * random();
}
