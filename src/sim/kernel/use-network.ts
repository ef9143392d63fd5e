/** Network interfaces in use, as sysfs and /proc show them. */
import type { UseSpec } from './spec.js';
import type { Entries, UsedDevice } from './use-entries.js';

const NETWORK_USES: ReadonlySet<string> = new Set(['default-route', 'ssh', 'address', 'route', 'member']);

const ROUTE_HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const TCP_HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const ZERO4 = '00000000';
const ZERO6 = ZERO4.repeat(4);

/** The files about the network interfaces of these devices. */
export function networkEntries(entries: Entries, devices: readonly UsedDevice[]): void {
  for (const device of devices) {
    const uses = device.uses.filter(({ use }) => NETWORK_USES.has(use));
    const isUpper = (name: string): boolean => uses.some(({ use, of }) => use === 'member' && of === name);
    for (const one of uses) {
      const folder = entries.classed('net', one.name, isUpper(one.name) ? undefined : device);
      if (one.use === 'member' && one.of !== undefined) {
        entries.classed('net', one.of, undefined);
        entries.link(`${folder}/master`, `../${one.of}`);
        entries.link(`${folder}/upper_${one.of}`, `../${one.of}`);
      }
      routeEntries(entries, one, uses);
    }
  }
}

function routeEntries(entries: Entries, { use, name, of = '' }: UseSpec, uses: readonly UseSpec[]): void {
  const route = (destination: string, mask: string, gateway = ZERO4): void =>
    entries.append(
      'proc/net/route',
      `${name}\t${destination}\t${gateway}\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`,
      ROUTE_HEAD,
    );
  if (use === 'default-route') route(ZERO4, ZERO4, '0100000A');
  if (use === 'route') {
    const [network = '', length = ''] = of.split('/');
    const six = hex6(network);
    if (six !== undefined) {
      const bits = Number(length).toString(16).padStart(2, '0');
      const more = `${ZERO6} 00 ${ZERO6} 00000100 00000001 00000000 00000001`;
      entries.append('proc/net/ipv6_route', `${six} ${bits} ${more} ${name.padStart(8)}\n`);
    } else {
      const mask = (2 ** 32 - 2 ** (32 - Number(length))).toString(16).padStart(8, '0');
      route(words(hex4(network)), words(mask));
    }
  }
  if (use === 'address') {
    const six = hex6(of);
    if (six !== undefined) entries.append('proc/net/if_inet6', `${six} 02 40 00 80 ${name.padStart(8)}\n`);
    else {
      entries.append('proc/net/fib_trie', `     |-- ${of}\n        /32 host LOCAL\n`, 'Local:\n');
      route(words(hex4(of)), 'FFFFFFFF');
    }
  }
  if (use === 'ssh') {
    const isSix = hex6(of) !== undefined;
    const own = uses.find(
      (other) =>
        other.use === 'address' && other.name === name && (hex6(other.of ?? '') !== undefined) === isSix,
    )?.of;
    if (own === undefined) return;
    const socket = (address: string): string => words(hex6(address) ?? hex4(address));
    const line = `   0: ${socket(own)}:0016 ${socket(of)}:D431 01 00000000:00000000 02:000A7214 00000000     0\n`;
    entries.append(isSix ? 'proc/net/tcp6' : 'proc/net/tcp', line, TCP_HEAD);
  }
}

/** An IPv4 address as eight digits. */
function hex4(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte) & 0xff);
  return bytes
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .padEnd(8, '0')
    .slice(0, 8);
}

/** An IPv6 address as 32 digits; undefined for an IPv4 one. */
function hex6(address: string): string | undefined {
  if (!address.includes(':')) return undefined;
  const [before = '', after] = address.split('::');
  const groups = (text: string): string[] =>
    text === '' ? [] : text.split(':').map((group) => group.padStart(4, '0').slice(-4));
  const [left, right] = [groups(before), groups(after ?? '')];
  const middle =
    after === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0000');
  return [...left, ...middle, ...right].join('').padEnd(32, '0').slice(0, 32);
}

/** In 32-bit words of a little-endian machine, as /proc prints them. */
function words(hex: string): string {
  return hex.toUpperCase().replaceAll(/(..)(..)(..)(..)/g, '$4$3$2$1');
}
