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
    const stream = this.#open();
    // The app closes what is idle. Half-open, such a stream would stay here, and the next request would be lost in it.
    stream.once('peerEnded', () => {
      if (Object.values(this.freeSockets).some((free) => (free as Duplex[] | undefined)?.includes(stream)))
        stream.destroy();
    });
    return stream;
  }

  override getName(): string {
    return 'app';
  }
}
