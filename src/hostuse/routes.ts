/** What /proc/net says about routes, addresses and connections. Pure. */

/** A network that an interface leads to. */
export interface Route {
  readonly name: string;
  /** The first address and the length of the prefix: `10.0.0.0/24`; `0.0.0.0/0` and `::/0` are the default. */
  readonly network: string;
  readonly isDefault: boolean;
  /** Directly: the network is the interface's own. */
  readonly isConnected: boolean;
}

/** An address of this host, and the interface that has it, if that is known. */
export interface Address {
  readonly name?: string;
  readonly address: string;
}

/** An established TCP connection. */
export interface Connection {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
}

/** RTF_REJECT (linux/ipv6_route.h). */
const REJECT = 0x200;
/** TCP_ESTABLISHED (net/tcp_states.h). */
const ESTABLISHED = '01';

/** Parses `/proc/net/route`: the routes of the main table. */
export function parseRoutes(text: string): Route[] {
  return rows(text).flatMap(([name, destination, gateway, flags, , , , mask]) => {
    if (name === undefined || !isHex(destination, 8) || !isHex(gateway, 8) || !isHex(mask, 8)) return [];
    if ((Number.parseInt(flags ?? '0', 16) & REJECT) !== 0) return [];
    const bits = [...swapped(mask)].reduce((sum, digit) => sum + ones(Number.parseInt(digit, 16)), 0);
    const network = `${dotted(swapped(destination))}/${bits}`;
    return { name, network, isDefault: network === '0.0.0.0/0', isConnected: /^0+$/.test(gateway) };
  });
}

/** Parses `/proc/net/ipv6_route`; without the host's own addresses, multicast and link-local networks. */
export function parseRoutes6(text: string): Route[] {
  return text.split('\n').flatMap((line) => {
    const [destination, length, , , gateway, , , , flags, name] = line.trim().split(/ +/);
    if (name === undefined || !isHex(destination, 32) || !isHex(length, 2) || !isHex(gateway, 32)) return [];
    if (name === 'lo' || (Number.parseInt(flags ?? '0', 16) & REJECT) !== 0) return [];
    const bits = Number.parseInt(length, 16);
    if (bits === 128 || /^f(f|e80)/.test(destination)) return [];
    const network = `${colons(destination)}/${bits}`;
    return { name, network, isDefault: bits === 0, isConnected: /^0+$/.test(gateway) };
  });
}

/** Parses `/proc/net/if_inet6`, without link-local addresses: every interface that is up has one. */
export function parseAddresses6(text: string): Address[] {
  return text.split('\n').flatMap((line) => {
    const [address, , , , , name] = line.trim().split(/ +/);
    if (name === undefined || !isHex(address, 32) || address.startsWith('fe80')) return [];
    return { name, address: colons(address) };
  });
}

/** Parses `/proc/net/fib_trie`: the IPv4 addresses of this host. It does not say of which interface. */
export function parseAddresses4(text: string): Address[] {
  const found = text.matchAll(/^[ ]*\|-- (\d{1,3}(?:\.\d{1,3}){3})\n[ ]*\/32 host LOCAL$/gm);
  return [...new Set([...found].map(([, address]) => address!))].map((address) => ({ address }));
}

/** Parses `/proc/net/tcp` and `tcp6`: the connections that are established. */
export function parseConnections(text: string): Connection[] {
  return rows(text).flatMap(([, local, remote, state]) => {
    const [from, port] = local?.split(':') ?? [];
    const [to] = remote?.split(':') ?? [];
    if (state !== ESTABLISHED || !isHex(port, 4)) return [];
    const [own, peer] = [socketAddress(from), socketAddress(to)];
    if (own === undefined || peer === undefined) return [];
    return { local: own, localPort: Number.parseInt(port, 16), remote: peer };
  });
}

/** Whether an IPv4 address is in a network, `10.0.0.0/24`; IPv6 addresses name their interface themselves. */
export function isIn(address: string, network: string): boolean {
  const [first = '', length = ''] = network.split('/');
  const [a, b] = [numberOf(address), numberOf(first)];
  if (a === undefined || b === undefined) return false;
  const span = 2 ** (32 - Number(length));
  return Math.floor(a / span) === Math.floor(b / span);
}

/** The usual spelling of an address. */
export function canonical(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const url = `http://[${address.replace(/%.*/, '')}]/`;
  return mapped ?? (URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address);
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

function isHex(text: string | undefined, digits: number): text is string {
  return text !== undefined && text.length === digits && /^[0-9a-fA-F]+$/.test(text);
}

/** The kernel prints addresses in 32-bit words of the machine, which is little-endian wherever Xen runs. */
function swapped(words: string): string {
  return words.replaceAll(/(..)(..)(..)(..)/g, '$4$3$2$1');
}

function socketAddress(words: string | undefined): string | undefined {
  if (isHex(words, 8)) return dotted(swapped(words));
  if (!isHex(words, 32)) return undefined;
  const bytes = swapped(words);
  return /^0{20}ffff/i.test(bytes) ? dotted(bytes.slice(24)) : colons(bytes);
}

function dotted(hex: string): string {
  return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
}

function colons(hex: string): string {
  return canonical((hex.match(/.{4}/g) ?? []).join(':'));
}

function ones(number: number): number {
  return [...number.toString(2)].filter((bit) => bit === '1').length;
}

function numberOf(dottedText: string): number | undefined {
  const bytes = dottedText.split('.').map(Number);
  return bytes.length === 4 && bytes.every((byte) => byte >= 0 && byte < 256)
    ? bytes.reduce((sum, byte) => sum * 256 + byte, 0)
    : undefined;
}
