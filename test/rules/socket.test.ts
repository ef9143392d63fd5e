/** Sockets: the same name whatever the bus numbers, and whichever half of a socket a device uses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSocket, socketsOf } from '../../src/rules/index.js';
import { parseDeviceName, type UsbDevice } from '../../src/sysfs/index.js';

/** A device in a line: its name, then `hub`, `root=CONTROLLER`, `fast` or `peer=NAME`. */
function devices(...lines: readonly string[]): UsbDevice[] {
  return lines.map((line) => {
    const [name = '', ...words] = line.split(' ');
    const value = (key: string) => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
    const [root, peer] = [value('root'), value('peer')];
    return {
      busid: parseDeviceName(name)!,
      kind: name.startsWith('usb') ? 'root-hub' : words.includes('hub') ? 'hub' : 'device',
      bus: 1,
      address: 1,
      vendorId: '1111',
      productId: '0001',
      deviceClass: '00',
      speedMbps: words.includes('fast') ? 5000 : 480,
      ...(root === undefined ? {} : { serial: root }),
      ...(peer === undefined ? {} : { peer: parseDeviceName(peer)! }),
      interfaces: [],
    };
  });
}

const named = (...lines: readonly string[]) => Object.fromEntries(socketsOf(devices(...lines)));

describe('the socket of a device', () => {
  it('is its controller and its chain of ports', () => {
    assert.deepEqual(named('usb3 root=0000:00:14.0', '3-1 hub', '3-1.5'), {
      usb3: '0000:00:14.0',
      '3-1': '0000:00:14.0/1',
      '3-1.5': '0000:00:14.0/1.5',
    });
  });

  it('stays when the buses are numbered otherwise', () => {
    const one = named('usb1 root=0000:00:14.0', 'usb2 root=0000:01:00.0', '1-4', '2-4');
    const other = named('usb2 root=0000:00:14.0', 'usb1 root=0000:01:00.0', '2-4', '1-4');
    assert.equal(one['1-4'], other['2-4']);
    assert.equal(one['2-4'], other['1-4']);
  });

  it('is one for both halves of a USB 3 socket, also behind hubs', () => {
    const {
      '2-1': fast,
      '2-2.3': behind,
      '1-7.3': slow,
    } = named(
      'usb1 root=0000:00:14.0',
      'usb2 root=0000:00:14.0 fast',
      '2-1 fast peer=1-4',
      '2-2 hub fast peer=1-7',
      '1-7 hub',
      '2-2.3 fast peer=1-7.3',
      '1-7.3',
    );
    assert.equal(fast, '0000:00:14.0/4');
    assert.equal(behind, slow);
    assert.equal(slow, '0000:00:14.0/7.3');
  });

  it('follows the hub where the kernel does not know the other half of its ports', () => {
    const { '2-2.3': behind } = named(
      'usb1 root=a',
      'usb2 root=a fast',
      '2-2 hub fast peer=1-7',
      '2-2.3 fast',
    );
    assert.equal(behind, 'a/7.3');
  });

  it('is marked where only the fast half is known: the same number is another socket of the slow half', () => {
    assert.deepEqual(named('usb1 root=a', 'usb2 root=a fast', '1-4', '2-4 fast'), {
      usb1: 'a',
      usb2: 'a',
      '1-4': 'a/4',
      '2-4': 'a/ss4',
    });
  });

  it('has the number of its bus where the kernel does not name the controller', () => {
    assert.equal(named('usb3', '3-1')['3-1'], 'usb3/1');
    assert.equal(named('usb3 root=x\u001b', '3-1')['3-1'], 'usb3/1');
  });

  it('is the name of a socket, whatever the kernel says', () => {
    const loop = named(
      'usb1 root=a fast',
      'usb2 root=b fast',
      '1-1 fast peer=2-1',
      '2-1 fast peer=1-1',
      '9-9.9',
    );
    for (const [busid, socket] of Object.entries(loop))
      if (!busid.startsWith('usb')) assert.ok(isSocket(socket), `${busid}: ${socket}`);
  });
});
