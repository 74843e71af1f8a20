// Who is told what: each observer the facts of its site.
import type { Closer } from '../../lib/closer.ts';
import type { Fact, Spawner } from '../spawner.ts';

export type See = Parameters<Spawner['observe']>[0];

export class Observers {
  readonly #all = new Set<{ see: See; site: string | undefined }>();

  /**
   * @param site only facts of this one; of all when left out
   * @returns `synced` tells the observer unless it has been closed
   */
  add(see: See, site: string | undefined): Closer & { synced(): void } {
    const observer = { see, site };
    this.#all.add(observer);
    return {
      synced: () => this.#all.has(observer) && see.synced(),
      close: () => void this.#all.delete(observer),
    };
  }

  tell(site: string, fact: Fact): void {
    for (const { see } of this.#of(site)) see.report(fact);
  }

  /** @returns whether anybody is told about a site */
  see(site: string): boolean {
    return this.#of(site).length > 0;
  }

  #of(site: string): { see: See }[] {
    return [...this.#all].filter((one) => one.site === undefined || one.site === site);
  }
}
