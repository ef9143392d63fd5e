/** What an event makes dirty: its domain or its device, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirtySet } from '../../../src/pvusb/watch/dirty.js';

const taken = (mark: (dirty: DirtySet) => void) => {
  const dirty = new DirtySet();
  dirty.take(undefined);
  mark(dirty);
  const { isEmpty } = dirty;
  const what = dirty.take(undefined);
  assert.ok(dirty.isEmpty, 'taken once');
  if (what === 'everything' || isEmpty) return isEmpty ? 'nothing' : what;
  const { domains, domids, busids, plugged } = what;
  return { domains, domids: [...domids], busids: [...busids], plugged };
};
const nothing = { domains: false, domids: [], busids: [], plugged: false };

test('an event on a path', () => {
  const cases: Readonly<Record<string, unknown>> = {
    '@introduceDomain': { ...nothing, domains: true },
    '@releaseDomain': { ...nothing, domains: true },
    '/libxl': 'everything',
    '/libxl/usbback': 'everything',
    '/libxl/usbback/3-1_5': { ...nothing, busids: ['3-1.5'] },
    '/libxl/usbback/3-1_5/3-1_5@1_0/driver_path': { ...nothing, busids: ['3-1.5'] },
    '/libxl/usbback/junk': 'nothing',
    '/libxl/7': { ...nothing, domids: [7] },
    '/libxl/7/type': { ...nothing, domids: [7] },
    '/libxl/7/device': { ...nothing, domids: [7] },
    '/libxl/7/device/vusb/0/port/1': { ...nothing, domids: [7] },
    '/libxl/7/device/vbd/51712': 'nothing',
    '/libxl/7/dm-version': 'nothing',
    '/local/domain/0/backend/vusb': 'everything',
    '/local/domain/0/backend/vusb/7': { ...nothing, domids: [7] },
    '/local/domain/0/backend/qusb/12/3/port/4': { ...nothing, domids: [12] },
    '/local/domain/0/device-model/7/state': { ...nothing, domids: [7] },
  };
  for (const [path, wanted] of Object.entries(cases)) {
    assert.deepEqual(
      taken((dirty) => dirty.markPath(path)),
      wanted,
      path,
    );
  }
});

test('a device that comes or goes', () => {
  const cases: Readonly<Record<string, unknown>> = {
    '3-1.5': { ...nothing, plugged: true, busids: ['3-1.5'] },
    '3-1.5:1.0': { ...nothing, plugged: true, busids: ['3-1.5'] },
    '003/011': { ...nothing, plugged: true },
    '/dev/bus/usb': 'everything',
    '': 'everything',
  };
  for (const [name, wanted] of Object.entries(cases)) {
    assert.deepEqual(
      taken((dirty) => dirty.markPlug(name)),
      wanted,
      name,
    );
  }
});

test('in a new set everything is to be looked at', () => {
  const dirty = new DirtySet();
  assert.equal(dirty.isEmpty, false);
  assert.equal(dirty.take(undefined), 'everything');
});
