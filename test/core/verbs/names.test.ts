/** A device is found by every name that people have for it, and by no other device's. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findDevice, isPvusbError } from '../../../src/pvusb/index.js';
import { parseBusid, type UsbDevice } from '../../../src/sysfs/index.js';

function device(busid: string, bus: number, address: number, more: Partial<UsbDevice> = {}): UsbDevice {
  return {
    busid: parseBusid(busid)!,
    kind: 'device',
    bus,
    address,
    vendorId: '46f4',
    productId: '0001',
    deviceClass: '00',
    speedMbps: 480,
    interfaces: [],
    ...more,
  };
}

const STICK = device('4-1', 4, 2, { serial: 'LAB0001' });
const PADDED = device('1-1.5', 1, 11, { vendorId: '0abc', productId: '00ff', serial: '  17 b   ' });
const FAR = device('1-2', 1, 127, { serial: 'LAB0002' });
const DEVICES = [STICK, PADDED, FAR];

const named = (name: string, devices = DEVICES) => findDevice({ devices }, name).busid;

/** Every spelling for a device, none of which is another's. */
function spellings({ busid, bus, address, vendorId, productId, serial = '' }: UsbDevice): string[] {
  const [short, long] = [
    [`${bus}`, `${address}`],
    [`${bus}`.padStart(3, '0'), `${address}`.padStart(3, '0')],
  ].map(([b, a]) => [`${b}.${a}`, `${b}:${a}`, `Bus ${b} Device ${a}`, `Bus ${b} Device ${a}:`]);
  const [b3, a3] = long![2]!.match(/\d+/g)!;
  const ids = `${vendorId}:${productId}`;
  return [
    ...[...short!, ...long!],
    ...[`Bus ${b3} Device ${a3}: ID ${ids}`, `Bus ${b3} Device ${a3}: ID ${ids} Some Corp. Stick`],
    ...[`/dev/bus/usb/${b3}/${a3}`, busid, `/sys/bus/usb/devices/${busid}`, `/sys/bus/usb/devices/${busid}/`],
    ...[`${ids}:${serial}`, `${ids}:${serial.trim()}`, `${ids.toUpperCase()}:${serial.trim()}`],
  ];
}

describe('a device', () => {
  for (const one of DEVICES) {
    it(`is found by all its names: ${one.busid}`, () => {
      for (const name of spellings(one)) assert.equal(named(name), one.busid, name);
    });
  }

  it('is not found by a line of lsusb that shows another device at its address', () => {
    for (const name of ['Bus 004 Device 002: ID 1d6b:0002 Hub', '/dev/bus/usb/004/003', '004:001', '4-2']) {
      assert.throws(
        () => named(name),
        (error) => isPvusbError(error, 'no-such-device'),
        name,
      );
    }
  });

  it('is not guessed if lsusb and usb-list, which prints hexadecimal, mean two different ones', () => {
    const devices = [...DEVICES, device('1-4', 1, 16), device('1-5', 1, 10)];
    assert.throws(
      () => named('Bus 001 Device 010', devices),
      (error) => {
        return isPvusbError(error, 'ambiguous-device') && /1-5.*1-4/.test(error.message);
      },
    );
    assert.equal(
      named('Bus 001 Device 010: ID 46f4:0001', [device('1-4', 1, 16, { productId: '0002' }), devices[4]!]),
      '1-5',
    );
    assert.throws(
      () => named('Bus 001 Device 010', [devices[3]!]),
      (error) => {
        return isPvusbError(error, 'no-such-device');
      },
    );
    assert.equal(named('Bus 001 Device 127', devices), '1-2');
  });

  it('is not found by what only looks like a name', () => {
    for (const name of [
      '',
      '4',
      '4.',
      '4:2:1',
      'Bus 4',
      'Bus 4 Device',
      'bus4 device2',
      '/dev/bus/usb/4/2x',
      'LAB0001',
    ]) {
      assert.throws(
        () => named(name),
        (error) => isPvusbError(error, 'invalid-argument'),
        name,
      );
    }
  });
});
