/** Devices by the names that Qubes OS gives them: on a command line, and in rules. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findDevice } from '../../src/pvusb/index.js';
import { parseQubesName } from '../../src/rules/imports/index.js';
import { formatRule, parseRules } from '../../src/rules/parse.js';
import { parseBusid, parseInterfaceId, type UsbDevice } from '../../src/sysfs/index.js';

function device(name: string, ids: string, serial: string | undefined, ...classes: string[]): UsbDevice {
  const busid = parseBusid(name)!;
  const [vendorId, productId] = ids.split(':') as [string, string];
  return {
    busid,
    kind: 'device',
    bus: 1,
    address: Number(name.replace(/.*\D/, '')) + 1,
    vendorId,
    productId,
    deviceClass: '00',
    speedMbps: 12,
    ...(serial === undefined ? {} : { serial }),
    interfaces: classes.map((one, number) => ({
      id: parseInterfaceId(`${busid}:1.${number}`)!,
      number,
      classes: one,
    })),
  };
}

const DEVICES = [
  device('1-1', '046d:c52b', undefined, '03/01/01', '03/01/02'),
  device('1-2', '046d:c52b', 'A1', '03/01/01'),
  device('1-3.1', '46f4:0001', 'LAB 1', '08/06/50'),
  device('1-3.2', '46f4:0001', 'X:u080650', '08/06/50'),
];

const busidOf = (name: string): string => findDevice({ devices: DEVICES }, name).busid;

describe('a name of Qubes OS', () => {
  it('is ids, a serial number, interfaces, and perhaps a port before them', () => {
    const interfaces = ['03/01/01', '03/01/02'];
    assert.deepEqual(parseQubesName('046D:c52b:SERIAL:u030101u030102'), {
      identity: { ids: '046d:c52b', serial: 'SERIAL', interfaces },
    });
    assert.deepEqual(parseQubesName('1-2_3:046d:c52b::u030101'), {
      identity: { ids: '046d:c52b', serial: '', interfaces: ['03/01/01'] },
      busid: '1-2.3',
    });
    assert.deepEqual(parseQubesName('*:046d:c52b:a:b:?******'), {
      identity: { ids: '046d:c52b', serial: 'a:b' },
    });
    for (const none of [
      '046d:c52b',
      '046d:c52b:',
      '046d:c52b:A1',
      '046d:c52b::u0301',
      '046d:c52b::u03**01',
      '1-2',
    ])
      assert.equal(parseQubesName(none), undefined, none);
  });

  it('names the device that has all of it', () => {
    assert.equal(busidOf('046d:c52b::u030101u030102'), '1-1');
    assert.equal(busidOf('046d:c52b:A1:u030101'), '1-2');
    assert.equal(busidOf('1-2:046d:c52b:A1:u030101'), '1-2');
    assert.equal(busidOf('1-3_1:46f4:0001:LAB 1:u080650'), '1-3.1');
    assert.equal(busidOf('046d:c52b::?******'), '1-1');
    for (const none of ['046d:c52b::u030101', '1-1:046d:c52b:A1:u030101', '046d:c52b:A1:u030101u080650'])
      assert.throws(() => busidOf(none), { code: 'no-such-device' }, none);
  });

  it('is a serial number where a device has that', () => {
    assert.equal(busidOf('46f4:0001:X:u080650'), '1-3.2');
    assert.equal(busidOf('46f4:0001:X:u080650:u080650'), '1-3.2');
  });

  it('can be said in a rule, without a port and without saying something twice', () => {
    const read = (text: string) => parseRules([{ path: 'r', text }]);
    const { rules } = read('auto u1 id=046d:c52b::u030101u030102\nask u1 id="46f4:0001:LAB 1:u080650"');
    assert.deepEqual(rules.map(formatRule), [
      'auto u1 id=046d:c52b serial="" interface=03/01/01,03/01/02',
      'ask u1 id=46f4:0001 serial="LAB 1" interface=08/06/50',
    ]);
    const bad = read('auto u1 id=1-2:046d:c52b::u030101\nauto u1 id=046d:c52b:A:u030101 serial=B');
    assert.deepEqual(
      bad.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`),
      [
        '1:9: "1-2:046d:c52b::u030101" is not a value of id: it is like 46f4:0001 or 46f4:*.',
        '2:32: serial repeats what id= already says.',
      ],
    );
  });
});
