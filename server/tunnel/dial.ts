// An http.Agent whose sockets are streams of one tunnel. One agent per tunnel: free sockets never cross sessions or epochs.
import { Agent, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';

export class TunnelAgent extends Agent {
  readonly #open: () => Duplex;

  /** @param open makes a stream to the target `app` */
  constructor(open: () => Duplex) {
    super({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 64, scheduling: 'lifo' });
    this.#open = open;
  }

  override createConnection(_options: ClientRequestArgs): Duplex {
    return this.#open();
  }

  override getName(): string {
    return 'app';
  }
}
