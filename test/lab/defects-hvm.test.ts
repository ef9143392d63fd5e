/** The defects of xl that show with HVM guests. */
import assert from 'node:assert/strict';
import { type Defect, playDefects } from './defects/defect.js';
import { SETUPS } from './matrix/setup.js';

const setup = SETUPS.devicemodel;

const DEFECTS: readonly Defect[] = [
  {
    row: 8,
    setup,
    theirs: 'fails to attach to a guest without a controller, and leaves one that QEMU does not have',
    ours: 'makes it, in QEMU too',
    withXl: async (ground) => {
      const { status, stderr } = await ground.xlMayFail(`usbdev-attach hvm1 ${await ground.address('4-1')}`);
      assert.notEqual(status, 0);
      assert.match(stderr, /Bus 'xenusb-0\.0' not found/);
      assert.match(await ground.xl('usb-list hvm1'), /^0 +devicemodel/m);
    },
    withPvusb: async (ground) => {
      await ground.pvusb('attach hvm1 4-1');
      await ground.reads('stick');
    },
  },
  {
    row: 12,
    setup,
    theirs: 'cannot detach a device that was plugged in anew',
    ours: 'can',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach hvm1 version=3');
      await ground.xl(`usbdev-attach hvm1 ${await ground.address('4-1')}`);
      await ground.lab.unplug('stick');
      await ground.lab.plug('stick');
      assert.notEqual((await ground.xlMayFail('usbdev-detach hvm1 0 1')).status, 0);
    },
    withPvusb: async (ground) => {
      await ground.pvusb('controller add hvm1 --usb 3');
      await ground.pvusb('attach hvm1 4-1');
      await ground.lab.unplug('stick');
      await ground.lab.plug('stick');
      await ground.pvusb('detach 4-1');
      await ground.drivers({ '4-1:1.0': 'usb-storage' });
    },
  },
  {
    row: 13,
    setup,
    theirs: 'takes back what a QEMU that is slow to answer has done all the same',
    ours: 'asks QEMU, and knows',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach hvm1 version=3');
      await ground.signalQemu('STOP');
      const { status } = await ground.xlMayFail(`usbdev-attach hvm1 ${await ground.address('3-2')}`);
      await ground.signalQemu('CONT');
      assert.notEqual(status, 0);
      assert.doesNotMatch(await ground.xl('usb-list hvm1'), /Bus/);
      await ground.sees('QEMU USB Keyboard', true);
    },
    withPvusb: async (ground) => {
      await ground.pvusb('controller add hvm1 --usb 3');
      await ground.signalQemu('STOP');
      const { status, stderr } = await ground.lab.dom0('pvusb attach hvm1 3-2', { mayFail: true });
      await ground.signalQemu('CONT');
      assert.notEqual(status, 0);
      assert.match(stderr, /\(qemu-(timeout|busy|unreachable)\)/);
      await ground.mend();
      await ground.pvusb('attach hvm1 3-2');
      await ground.uses('3-2');
    },
  },
];

playDefects('the defects of xl, with HVM guests', 'devicemodel', DEFECTS);
