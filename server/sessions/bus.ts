// Changes of sessions, told inside this process. With several processes rows and NOTIFY carry them; this is the local end.
import type { SessionRow, TimelineEntry } from './store.ts';

export interface Change {
  session: SessionRow;
  /** The timeline row of the change; null when the session was deleted. */
  row: TimelineEntry | null;
}

export class Bus {
  readonly #listeners = new Set<(change: Change) => void>();

  onChange(tell: (change: Change) => void): { close(): void } {
    this.#listeners.add(tell);
    return { close: () => void this.#listeners.delete(tell) };
  }

  tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
