/** The defects of xl that show with PV guests. */
import assert from 'node:assert/strict';
import { type Defect, playDefects } from './defects/defect.js';
import { SETUPS } from './matrix/setup.js';

const { pv, qusb } = SETUPS;
const AUDIO_HOME = { '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' };

const DEFECTS: readonly Defect[] = [
  {
    row: 7,
    setup: qusb,
    theirs: 'attaches nothing more on the host when a lent stick has been pulled out',
    ours: 'attaches another, and frees the port',
    withXl: async (ground) => {
      await ground.xl(`usbdev-attach pv2 ${await ground.address('4-1')}`);
      await ground.lab.unplug('stick');
      const { status, stderr } = await ground.xlMayFail(`usbdev-attach pv2 ${await ground.address('1-1')}`);
      await ground.lab.plug('stick');
      assert.notEqual(status, 0);
      assert.match(stderr, /refusing to continue/);
    },
    withPvusb: async (ground) => {
      await ground.pvusb('attach pv2 4-1');
      await ground.lab.unplug('stick');
      await ground.pvusb('attach pv2 1-1');
      await ground.pvusb('detach 4-1');
      await ground.uses('1-1');
      await ground.lab.plug('stick');
    },
  },
  {
    row: 9,
    setup: qusb,
    theirs: 'puts a device into port 99 of a controller that has four',
    ours: 'refuses it',
    withXl: async (ground) => {
      await ground.xl(`usbdev-attach pv2 ${await ground.address('3-2')} controller=0 port=99`);
      assert.doesNotMatch(await ground.xl('usb-list pv2'), /Bus/);
    },
    withPvusb: (ground) => ground.refused('no-such-port', 'attach pv2 3-2 --controller 0 --port 99'),
  },
  {
    row: 14,
    setup: pv,
    hasUsbback: true,
    theirs: 'gives a mouse to the driver of the stick that was in its socket before',
    ours: 'gives it to its own',
    withXl: async (ground) => {
      await ground.xl('usbctrl-attach pv1 type=pv');
      await ground.xl(`usbdev-attach pv1 ${await ground.address('1-1')}`);
      await ground.lab.unplug('stick2');
      await ground.lab.plugDevice('other', { driver: 'usb-mouse', bus: 'ehci.0', port: '1' });
      const { status } = await ground.xlMayFail('usbdev-detach pv1 0 1');
      const { drivers } = await ground.lab.state();
      await ground.lab.unplug('other', '1-1');
      await ground.lab.plug('stick2');
      // Its own driver took it when it came: xl fails to put it on the other, or has taken it off.
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
    row: 15,
    setup: qusb,
    theirs: 'removes controller 0 when it is asked for controller abc, and knows a domain 9999',
    ours: 'refuses both',
    withXl: async (ground) => {
      assert.equal((await ground.xlMayFail('usb-list 9999')).status, 0);
      await ground.xl('usbctrl-detach pv2 abc');
      assert.equal(await ground.xl('usb-list pv2'), '');
    },
    withPvusb: async (ground) => {
      const { status } = await ground.lab.dom0('pvusb usbctrl-detach pv2 abc', { mayFail: true });
      assert.notEqual(status, 0);
      const { stderr } = await ground.lab.dom0('pvusb usb-list 9999', { mayFail: true });
      assert.match(stderr, /There is no domain 9999\./);
      assert.match(await ground.pvusb('list pv2'), /Controller 0/);
    },
  },
  {
    row: 16,
    setup: qusb,
    theirs: 'crashes when it detaches from a controller that is not there',
    ours: 'says that it is not there',
    withXl: async (ground) => {
      // A shell of its own outlives it.
      const { stdout } = await ground.lab.dom0('xl usbdev-detach pv2 9 1; echo $?', { mayFail: true });
      assert.ok(Number(stdout.trim()) >= 128, stdout);
    },
    withPvusb: (ground) => ground.refused('no-such-controller', 'detach pv2 9 1'),
  },
  {
    row: 17,
    setup: pv,
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
    setup: pv,
    hasUsbback: true,
    theirs: 'leaves a device whose driver has two interfaces without driver',
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
    row: 19,
    setup: qusb,
    theirs: 'destroys a guest whose QEMU has died, and its devices have no driver',
    ours: 'gives them back',
    withXl: async (ground) => {
      await ground.xl(`usbdev-attach pv2 ${await ground.address('4-1')}`);
      await ground.uses('4-1');
      await ground.signalQemu('KILL');
      await ground.xl('destroy pv2');
      await ground.drivers({ '4-1:1.0': '-' });
    },
    withPvusb: async (ground) => {
      await ground.pvusb('attach pv2 4-1');
      await ground.uses('4-1');
      await ground.signalQemu('KILL');
      await ground.xl('destroy pv2');
      await ground.mend();
      await ground.drivers({ '4-1:1.0': 'usb-storage' });
    },
  },
  {
    row: 20,
    setup: qusb,
    settings: async () => ['usbctrl=["type=qusb,ports=4","type=qusb,ports=4"]'],
    theirs: 'kills QEMU with a device in the same port of two controllers',
    ours: 'refuses that port, and chooses another',
    withXl: async (ground) => {
      await ground.xl(`usbdev-attach pv2 ${await ground.address('3-2')} controller=0 port=1`);
      await ground.uses('3-2');
      await ground.xl(`usbdev-attach pv2 ${await ground.address('3-3')} controller=1 port=1`);
      await ground.eventually('QEMU is dead', async () => {
        assert.equal(await ground.signalQemu('0'), false);
      });
    },
    withPvusb: async (ground) => {
      await ground.pvusb('attach pv2 3-2 --controller 0 --port 1');
      await ground.refused('port-clash', 'attach pv2 3-3 --controller 1 --port 1');
      await ground.pvusb('attach pv2 3-3 --controller 1');
      await ground.uses('3-2', '3-3');
    },
  },
  {
    row: 21,
    setup: pv,
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
  {
    row: 22,
    setup: qusb,
    theirs: 'has one message for a hub, a root hub and a device that is not there',
    ours: 'has three',
    withXl: async (ground) => {
      for (const words of [
        await ground.address('3-5'),
        await ground.address('usb3'),
        'hostbus=3 hostaddr=99',
      ]) {
        const { stderr } = await ground.xlMayFail(`usbdev-attach pv2 ${words}`);
        assert.match(stderr, /USB device is not assignable/);
      }
    },
    withPvusb: async (ground) => {
      await ground.refused('is-hub', 'attach pv2 3-5');
      await ground.refused('is-root-hub', 'attach pv2 3.1');
      await ground.refused('no-such-device', 'attach pv2 3.99');
    },
  },
  {
    row: 23,
    setup: qusb,
    theirs: 'attaches to a guest whose QEMU is dead, and says that all is well',
    ours: 'says that it has died',
    withXl: async (ground) => {
      await ground.signalQemu('KILL');
      await ground.xl(`usbdev-attach pv2 ${await ground.address('3-2')}`);
    },
    withPvusb: async (ground) => {
      await ground.signalQemu('KILL');
      await ground.refused('qemu-dead', 'attach pv2 3-2');
    },
  },
  {
    row: 24,
    setup: qusb,
    settings: async (ground) => {
      const address = (await ground.address('1-1')).replace(' ', ',');
      return [`usbdev=["${address}"]`, 'on_reboot="restart"'];
    },
    theirs: 'loses a guest with a device of its configuration at its reboot',
    ours: 'keeps it, and its device',
    withXl: async (ground) => {
      await ground.xl('reboot -F pv2');
      await ground.eventually('the guest is lost', async () => {
        assert.notEqual((await ground.xlMayFail('domid pv2')).status, 0);
        assert.equal((await ground.lab.dom0('pgrep -f "xl create.*pv2"', { mayFail: true })).status, 1);
      });
    },
    withPvusb: async (ground) => {
      await ground.startWatch('saved configuration');
      await ground.xl('reboot -F pv2');
      await ground.eventually('the guest is back', async () => {
        assert.match(await ground.watchSays(), /is back: 1-1 is attached/);
      });
      await ground.stopWatch();
      await ground.uses('1-1');
    },
  },
];

playDefects('the defects of xl, with PV guests', 'qusb', DEFECTS);
