// Notices that a session's exit record has appeared; a slow poll finds what the file system does not tell.
import { watch, type FSWatcher } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import type { Closer } from '../../lib/closer.ts';

const pollMilliseconds = 1000;

/** @param look is called for every change of the record and every second; its errors are its own */
export function watchExit(directory: string, clock: Clock, look: () => void): Closer {
  let timer: Closer;
  let watcher: FSWatcher | undefined;
  const poll = (): void => {
    timer = clock.after(pollMilliseconds, poll);
    look();
  };
  timer = clock.after(pollMilliseconds, poll);
  try {
    watcher = watch(directory, { persistent: false }, (_event, name) => {
      if (name === 'exit.json') look();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    // Out of watches, or the folder has gone: the poll finds it.
  }
  return {
    close: () => {
      void timer.close();
      watcher?.close();
    },
  };
}
