/** What the host does with network interfaces: every way in which Linux shows it, as trees of files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { classed, device, nicFolder, type Tree, told, usesIn, writeTrees } from './tree.js';

const DEVICES = [device('1-7', { '02/06/00': 'cdc_ether', '0a/00/00': 'cdc_ether' }), device('3-5.1')];

/** An adapter with the interface enx1, and one that is not on USB. */
const ADAPTER: Tree = { ...classed('net', 'enx1', '1-7'), ...classed('net', 'eth0') };

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (...lines: readonly string[]): Tree => ({ 'proc/net/route': `${HEAD}${lines.join('\n')}\n` });
const DEFAULT = 'enx1\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0';
/** 10.0.2.0/24 */
const LOCAL = 'enx1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0';
const ZERO = '0'.repeat(32);
const route6 = (...lines: readonly string[]): Tree => ({ 'proc/net/ipv6_route': `${lines.join('\n')}\n` });
/** The host has 10.0.2.15. */
const TRIE: Tree = {
  'proc/net/fib_trie':
    'Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\nLocal:\n     |-- 10.0.2.15\n        /32 host LOCAL\n     |-- 10.0.2.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n',
};
const tcp = (...lines: readonly string[]): Tree => ({ 'proc/net/tcp': `  sl\n${lines.join('\n')}\n` });
const upper = (lower: string, name: string, busid?: string): Tree => ({
  ...classed('net', name),
  [`${nicFolder(lower, busid)}/upper_${name}`]: `-> ../../../virtual/net/${name}`,
});
const master = (lower: string, name: string, busid?: string): Tree => ({
  ...upper(lower, name, busid),
  [`${nicFolder(lower, busid)}/master`]: `-> ../../../virtual/net/${name}`,
});

const ROWS: Readonly<Record<string, { readonly trees: readonly Tree[]; readonly told: readonly string[] }>> =
  {
    'is there, and nothing more': { trees: [ADAPTER], told: [] },
    'carries the default route': {
      trees: [ADAPTER, route(DEFAULT)],
      told: ['1-7 refuse default-route: enx1 on it carries the default route'],
    },
    'carries the default route of IPv6 only': {
      trees: [
        ADAPTER,
        route6(`${ZERO} 00 ${ZERO} 00 fe80${'0'.repeat(27)}2 00000400 00000001 00000000 00000003     enx1`),
      ],
      told: ['1-7 refuse default-route: enx1 on it carries the default route'],
    },
    'has routes that reject, link-local and multicast ones, which lead nowhere': {
      trees: [
        ADAPTER,
        route('enx1\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0'),
        route6(
          `${ZERO} 00 ${ZERO} 00 ${ZERO} ffffffff 00000001 00000000 00200200     enx1`,
          `fe80${'0'.repeat(28)} 40 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001     enx1`,
          `ff00${'0'.repeat(28)} 08 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001     enx1`,
        ),
        { 'proc/net/if_inet6': `fe80${'0'.repeat(27)}1 02 40 20 80     enx1\n` },
      ],
      told: [],
    },
    'has an address, by its connected route; policy tables are not in /proc': {
      trees: [ADAPTER, route(LOCAL), TRIE],
      told: ['1-7 refuse address: enx1 on it has the address 10.0.2.15'],
    },
    'has an IPv6 address': {
      trees: [ADAPTER, { 'proc/net/if_inet6': `fd00${'0'.repeat(27)}2 02 40 00 80     enx1\n` }],
      told: ['1-7 refuse address: enx1 on it has the address fd00::2'],
    },
    'has a route and no address that is known': {
      trees: [ADAPTER, route(LOCAL)],
      told: ['1-7 refuse route: enx1 on it has a route to 10.0.2.0/24'],
    },
    'carries an SSH connection': {
      trees: [
        ADAPTER,
        route(LOCAL),
        TRIE,
        tcp(
          '   0: 0F02000A:0016 00000000:0000 0A 0:0 0:0',
          '   1: 0F02000A:0016 0502000A:D431 01 0:0 0:0',
          '   2: 0F02000A:0050 0602000A:D431 01 0:0 0:0',
          '   3: 0100007F:0016 0100007F:D431 01 0:0 0:0',
        ),
      ],
      told: [
        '1-7 refuse ssh: enx1 on it carries an SSH connection from 10.0.2.5',
        '1-7 refuse address: enx1 on it has the address 10.0.2.15',
      ],
    },
    'carries an SSH connection of sshd on IPv6, from IPv4': {
      trees: [
        ADAPTER,
        route(LOCAL),
        TRIE,
        {
          'proc/net/tcp6':
            '  sl\n   0: 0000000000000000FFFF00000F02000A:0016 0000000000000000FFFF00000502000A:D431 01 0:0\n',
        },
      ],
      told: [
        '1-7 refuse ssh: enx1 on it carries an SSH connection from 10.0.2.5',
        '1-7 refuse address: enx1 on it has the address 10.0.2.15',
      ],
    },
    'is in a bridge that has the address and the default route': {
      trees: [
        ADAPTER,
        master('enx1', 'br0', '1-7'),
        route(DEFAULT.replace('enx1', 'br0'), LOCAL.replace('enx1', 'br0')),
        TRIE,
      ],
      told: [
        '1-7 refuse default-route: br0 over it carries the default route',
        '1-7 refuse address: br0 over it has the address 10.0.2.15',
        '1-7 refuse member: enx1 on it is part of br0',
      ],
    },
    'is in a bond that is in a bridge, over which nothing is known': {
      trees: [ADAPTER, master('enx1', 'bond0', '1-7'), master('bond0', 'br0')],
      told: [
        '1-7 refuse member: bond0 on it is part of br0'.replace('on it', 'over it'),
        '1-7 refuse member: enx1 on it is part of bond0',
      ],
    },
    'belongs to Open vSwitch, whose bridge is not in sysfs': {
      trees: [ADAPTER, master('enx1', 'ovs-system', '1-7')],
      told: ['1-7 refuse member: enx1 on it is part of ovs-system'],
    },
    'has a VLAN with an address': {
      trees: [ADAPTER, upper('enx1', 'v5', '1-7'), route(LOCAL.replace('enx1', 'v5')), TRIE],
      told: [
        '1-7 refuse address: v5 over it has the address 10.0.2.15',
        '1-7 refuse member: enx1 on it is part of v5',
      ],
    },
    'has a VLAN that nobody uses': { trees: [ADAPTER, upper('enx1', 'v5', '1-7')], told: [] },
    'is in another network namespace': {
      trees: [{ 'sys/bus/usb/devices/1-7:1.0/net/': '' }],
      told: ['1-7 refuse netns: the network interface of 1-7:1.0 is in another network namespace'],
    },
  };

describe('a network interface of a USB device', () => {
  for (const [name, { trees, told: expected }] of Object.entries(ROWS)) {
    it(`${name}`, async (test) => {
      assert.deepEqual((await usesIn(writeTrees(test, ...trees), DEVICES)).map(told), expected);
    });
  }
});
