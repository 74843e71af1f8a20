/** Waits for a condition instead of for a time. Throws after `seconds`, naming what was waited for. */
export async function until<T>(look: () => T | Promise<T>, what: string, seconds = 20): Promise<NonNullable<T>> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found as NonNullable<T>;
    if (performance.now() > end) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
