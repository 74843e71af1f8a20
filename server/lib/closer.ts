/** Anything that was started and has to be ended. `close` is idempotent. */
export interface Closer {
  close(): void | Promise<void>;
}
