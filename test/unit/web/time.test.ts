// @vitest-environment happy-dom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ago, duration, useNow } from '../../../web/src/time.ts';

const minute = 60;
const hour = 3600;
const day = 86_400;

test.each([
  [-5, '0 s'],
  [0, '0 s'],
  [59.4, '59 s'],
  [59.5, '1 min'],
  [minute, '1 min'],
  [2 * minute - 1, '1 min'],
  [hour - 1, '59 min'],
  [hour, '1 h'],
  [hour + 20 * minute, '1 h 20 min'],
  [2 * day - 1, '47 h 59 min'],
  [2 * day, '2 d'],
  [2 * day + hour - 1, '2 d'],
  [3 * day + 2 * hour, '3 d 2 h'],
])('%d seconds are told as %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test('what happened less than 45 s ago, or by a clock that is ahead, was just now', () => {
  const now = Date.parse('2026-05-01T12:00:00Z');
  expect(ago('2026-05-01T11:59:15.001Z', now)).toBe('just now');
  expect(ago('2026-05-01T11:59:15.000Z', now)).toBe('45 s ago');
  expect(ago('2026-05-01T11:55:00Z', now)).toBe('5 min ago');
  expect(ago('2026-05-01T12:05:00Z', now)).toBe('just now');
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

test('the present time is renewed as often as asked for, and no longer when the part is gone', () => {
  const begin = Date.now();
  const { result, unmount } = renderHook(() => useNow(10));
  act(() => void vi.advanceTimersByTime(9999));
  expect(result.current).toBe(begin);
  act(() => void vi.advanceTimersByTime(1));
  expect(result.current).toBe(begin + 10_000);
  unmount();
  expect(vi.getTimerCount()).toBe(0);
});
