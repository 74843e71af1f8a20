// Who is calling: the socket's address, or X-Forwarded-For as far as trusted proxies vouch for it.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

export type AddressOf = (request: IncomingMessage) => string;

/**
 * @param trusted addresses or CIDR ranges of proxies
 * @throws RangeError naming an entry that is neither
 */
export function makeAddressOf(trusted: readonly string[]): AddressOf {
  const list = new BlockList();
  for (const entry of trusted) add(list, entry);
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (request) => {
    const socket = plain(request.socket.remoteAddress ?? 'unknown');
    if (!isTrusted(socket)) return socket;
    const hops = String(request.headers['x-forwarded-for'] ?? '')
      .split(',')
      .map((hop) => plain(hop.trim()))
      .filter((hop) => isIP(hop) !== 0);
    // From the right: the first hop that is no proxy of ours is the caller.
    for (const hop of hops.reverse()) if (!isTrusted(hop)) return hop;
    return socket;
  };
}

/** IPv4 addresses on an IPv6 socket lose their prefix. */
const plain = (address: string): string => address.replace(/^::ffff:/i, '');

function add(list: BlockList, entry: string): void {
  const [address = '', bits] = entry.split('/');
  const family = isIP(address);
  const width = family === 6 ? 128 : 32;
  const prefix = bits === undefined ? width : Number(bits);
  if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > width) {
    throw new RangeError(`trustProxy: '${entry}' is neither an address nor a range such as 10.0.0.0/8`);
  }
  list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
}
