import { expect, test } from 'vitest';
import { browserName } from '../../../web/src/browser-name.ts';

const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';

// Most browsers claim to be several others as well: each row holds the names that must not win.
test.each([
  ['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  ['Firefox on iOS', `${iphone} FxiOS/140.0 Mobile/15E148 Safari/605.1.15`],
  ['Chrome on Windows', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/140.0.0.0 Safari/537.36`],
  ['Chrome on Linux', `Mozilla/5.0 (X11; Linux x86_64) ${webkit} Ubuntu Chromium/140.0.0.0 Safari/537.36`],
  ['Chrome on Android', `Mozilla/5.0 (Linux; Android 15; K) ${webkit} Chrome/140.0.0.0 Mobile Safari/537.36`],
  ['Chrome on iOS', `${iphone} CriOS/140.0 Mobile/15E148 Safari/604.1`],
  ['Chrome on ChromeOS', `Mozilla/5.0 (X11; CrOS x86_64 16093.0.0) ${webkit} Chrome/140.0.0.0 Safari/537.36`],
  ['Edge on Windows', `Mozilla/5.0 (Windows NT 10.0) ${webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`],
  ['Edge on Android', `Mozilla/5.0 (Linux; Android 10; K) ${webkit} Chrome/140.0 Mobile Safari/537.36 EdgA/140.0`],
  ['Edge on iOS', `${iphone} Version/18.0 EdgiOS/140.0 Mobile/15E148 Safari/605.1.15`],
  ['Opera on macOS', `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Chrome/138.0 Safari/537.36 OPR/122.0`],
  [
    'Safari on macOS',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15',
  ],
  ['Safari on iOS', `${iphone} Version/18.5 Mobile/15E148 Safari/604.1`],
])('%s', (name, userAgent) => {
  expect(browserName(userAgent)).toBe(name);
});

test('what is only half known is told as far as it is', () => {
  expect(browserName('Firefox/140.0')).toBe('Firefox');
  expect(browserName('SomeReader/1.0 (Windows NT 10.0)')).toBe('Windows');
});

test('what is unknown is shown as it is, up to 60 characters', () => {
  expect(browserName('curl/8.5.0')).toBe('curl/8.5.0');
  expect(browserName('x'.repeat(60))).toBe('x'.repeat(60));
  expect(browserName('x'.repeat(61))).toBe('x'.repeat(60));
  expect(browserName('')).toBe('');
});
