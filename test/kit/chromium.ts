/** The browser of the tests: Debian's Chromium. */
export const chromiumPath = process.env['LINKSPAN_TEST_CHROMIUM'] ?? '/usr/bin/chromium';

/** As root it has no sandbox of its own; no call leaves the machine. */
export const chromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
];
