/** The defects of xl that appear with controllers that the host's kernel serves. */
import assert from 'node:assert/strict';
import { type Defect, playDefects } from './defects/defect.js';
import { SETUPS } from './matrix/setup.js';

const setup = SETUPS.pv;
const AUDIO_HOME = { '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' };

const DEFECTS: readonly Defect[] = [
  {
    row: 11,
    setup,
    hasUsbback: true,
    theirs: 'forgets the driver of a device that it could not give back',
    ours: 'says so, keeps the record, and gives the device back when asked again',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach pv1 type=pv');
      await ground.xl(`usbdev-attach pv1 ${await ground.address('3-4')}`);
      await ground.lab.dom0('rmmod ftdi_sio');
      const { status } = await ground.xlMayFail('usbdev-detach pv1 0 1');
      const { stdout: records } = await ground.lab.dom0('xenstore-ls /libxl/usbback', { mayFail: true });
      await ground.lab.dom0('modprobe ftdi_sio');
      assert.notEqual(status, 0);
      assert.equal(records, '');
    },
    withPvusb: async (ground) => {
      await ground.pvusb('attach pv1 3-4');
      await ground.lab.dom0('rmmod ftdi_sio');
      await ground.refused('driver-not-restored', 'detach 3-4');
      const { stdout: records } = await ground.lab.dom0('xenstore-ls /libxl/usbback');
      await ground.lab.dom0('modprobe ftdi_sio');
      assert.match(records, /ftdi_sio/);
      await ground.pvusb('detach 3-4');
      await ground.drivers({ '3-4:1.0': 'ftdi_sio' });
      assert.equal((await ground.lab.dom0('xenstore-ls /libxl/usbback', { mayFail: true })).stdout, '');
    },
  },
  {
    row: 14,
    setup,
    hasUsbback: true,
    theirs: 'gives a mouse to the driver of the stick that was in its socket before',
    ours: 'gives it to its own',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach pv1 type=pv');
      await ground.xl(`usbdev-attach pv1 ${await ground.address('1-1')}`);
      await ground.lab.unplug('stick2');
      await ground.lab.plugDevice('other', { driver: 'usb-mouse', bus: 'ehci.0', port: '1' });
      const { status } = await ground.xlMayFail('usbdev-detach pv1 0 1');
      const drivers = await ground.lab.drivers();
      await ground.lab.unplug('other', '1-1');
      await ground.lab.plug('stick2');
      // Its own driver took it when it was plugged in: xl fails to put it on the other one, or has taken it off.
      assert.ok(status !== 0 || drivers['1-1:1.0'] !== 'usbhid', `${status} ${drivers['1-1:1.0']}`);
    },
    withPvusb: async (ground) => {
      await ground.pvusb('attach pv1 1-1');
      await ground.lab.unplug('stick2');
      await ground.lab.plugDevice('other', { driver: 'usb-mouse', bus: 'ehci.0', port: '1' });
      await ground.pvusb('detach 1-1');
      await ground.drivers({ '1-1:1.0': 'usbhid' });
      await ground.lab.unplug('other', '1-1');
      await ground.lab.plug('stick2');
    },
  },
  {
    row: 17,
    setup,
    theirs: 'leaves a controller behind that nobody serves',
    ours: 'refuses at once, and leaves nothing',
    withXl: async (ground) => {
      assert.notEqual((await ground.xlMayFail('usbctrl-attach pv1 type=pv')).status, 0);
      assert.match(await ground.xl('usb-list pv1'), /^0 +pv /m);
    },
    withPvusb: async (ground) => {
      await ground.refused('no-usbback', 'controller add pv1 --type pv');
      assert.match(await ground.pvusb('list pv1'), /no USB controller/);
    },
  },
  {
    row: 18,
    setup,
    hasUsbback: true,
    theirs: 'leaves a device whose driver has two interfaces without a driver',
    ours: 'gives both back',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach pv1 type=pv');
      await ground.xl(`usbdev-attach pv1 ${await ground.address('3-6')}`);
      const { status } = await ground.xlMayFail('usbdev-detach pv1 0 1');
      assert.notEqual(status, 0);
      await ground.drivers({ '3-6:1.0': '-', '3-6:1.1': '-' });
    },
    withPvusb: async (ground) => {
      await ground.drivers(AUDIO_HOME);
      await ground.pvusb('attach pv1 3-6');
      await ground.pvusb('detach 3-6');
      await ground.drivers(AUDIO_HOME);
    },
  },
  {
    row: 21,
    setup,
    theirs: 'says only that a device model is required',
    ours: 'says what to put into the configuration',
    withXl: async (ground) => {
      const { status, stderr } = await ground.xlMayFail(`usbdev-attach pv1 ${await ground.address('3-2')}`);
      assert.notEqual(status, 0);
      assert.match(stderr, /device model/);
      assert.doesNotMatch(stderr, /usbctrl/);
    },
    withPvusb: async (ground) => {
      const { stderr } = await ground.lab.dom0('pvusb attach pv1 3-2', { mayFail: true });
      assert.match(stderr, /usbctrl=\["type=qusb"\]/);
    },
  },
];

playDefects('the defects of xl, with usbback', 'pv', DEFECTS);
