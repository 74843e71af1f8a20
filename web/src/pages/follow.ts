// Which starts this tab has made: their progress page goes on to the session by itself when it is ready.
const key = 'linkspan-started';

export function rememberStart(id: string): void {
  sessionStorage.setItem(key, id);
}

/** True once for a start of this tab. */
export function takeStart(id: string): boolean {
  if (sessionStorage.getItem(key) !== id) return false;
  sessionStorage.removeItem(key);
  return true;
}
