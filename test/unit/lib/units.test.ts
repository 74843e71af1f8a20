import { expect, test } from 'vitest';
import { backoff } from '../../../server/lib/backoff.ts';
import { formatBytes, formatDuration, parseBytes } from '../../../server/lib/units.ts';

test.each([
  ['512Mi', 536_870_912],
  ['4Gi', 4_294_967_296],
  ['1.5Gi', 1_610_612_736],
])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each(['4GB', '4', '-1Gi', 'Gi', ''])("'%s' is refused as a size", (text) =>
  expect(() => parseBytes(text)).toThrow(RangeError),
);

test('sizes and durations read as people write them', () => {
  expect(formatBytes(1.5 * 2 ** 30)).toBe('1.5 GiB');
  expect([35, 60, 4800, 7200, 86_400 * 3, 86_400 * 3 + 7200].map(formatDuration)).toEqual([
    '35 s',
    '1 min',
    '1 h 20 min',
    '2 h',
    '3 d',
    '3 d 2 h',
  ]);
});

test('a retry waits at most the cap and never grows past it', () => {
  expect(backoff(0, { random: () => 1 })).toBe(500);
  expect(backoff(200, { random: () => 0.999 })).toBeLessThanOrEqual(15_000);
  expect(backoff(3, { random: () => 0 })).toBe(0);
});
