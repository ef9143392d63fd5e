/** The defects of xl that appear with HVM guests. */
import assert from 'node:assert/strict';
import { type Defect, playDefects } from './defects/defect.js';
import type { Ground } from './matrix/ground.js';
import { SETUPS } from './matrix/setup.js';

const setup = SETUPS.devicemodel;

/** A QEMU that adds a device and stops before it replies, as long as this file exists. */
const SLOW_QEMU = '/usr/local/bin/slow-qemu';
const SLOW = '/run/slow-qemu';

async function whileQemuIsSlow(ground: Ground, body: () => Promise<void>): Promise<void> {
  await ground.lab.dom0(`touch ${SLOW}`);
  await body();
  await ground.lab.dom0(`rm ${SLOW}`);
  await ground.signalQemu('CONT');
}

const DEFECTS: readonly Defect[] = [
  {
    row: 8,
    setup,
    theirs: 'fails to attach to a guest without a controller, and leaves one behind that QEMU does not have',
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
    theirs: 'cannot detach a device that was replugged',
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
    settings: async () => [`device_model_override="${SLOW_QEMU}"`],
    theirs: 'undoes what a slow QEMU does all the same',
    ours: 'says that QEMU may have it, and lists it there',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach hvm1 version=3');
      await whileQemuIsSlow(ground, async () => {
        const { status, stderr } = await ground.xlMayFail(
          `usbdev-attach hvm1 ${await ground.address('3-2')}`,
        );
        assert.notEqual(status, 0);
        assert.match(stderr, /Adding usbdev to QEMU timed out/);
      });
      assert.doesNotMatch(await ground.xl('usb-list hvm1'), /Bus/);
      await ground.sees('QEMU USB Keyboard', true);
    },
    withPvusb: async (ground) => {
      await ground.pvusb('controller add hvm1 --usb 3');
      await whileQemuIsSlow(ground, () => ground.refused('rollback-failed', 'attach hvm1 3-2'));
      await ground.sees('QEMU USB Keyboard', true);
      await ground.uses('3-2');
      await ground.mend();
      await ground.uses('3-2');
    },
  },
];

playDefects('the defects of xl, with HVM guests', 'devicemodel', DEFECTS);
