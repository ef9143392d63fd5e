/** The defects of xl that appear with controllers that a guest's QEMU serves. */
import assert from 'node:assert/strict';
import { type Defect, playDefects } from './defects/defect.js';
import { SETUPS } from './matrix/setup.js';

const setup = SETUPS.qusb;

/** An address with the same lowest eight bits. */
function beyondByte(address: string): string {
  return address.replace(/(?<=hostaddr=)\d+/, (hostaddr) => `${Number(hostaddr) + 256}`);
}

const DEFECTS: readonly Defect[] = [
  {
    row: 7,
    setup,
    theirs: 'attaches nothing more on the host once a lent stick has been pulled out',
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
    setup,
    theirs: 'puts a device into port 99 of a controller that has four',
    ours: 'refuses it',
    withXl: async (ground) => {
      await ground.xl(`usbdev-attach pv2 ${await ground.address('3-2')} controller=0 port=99`);
      assert.doesNotMatch(await ground.xl('usb-list pv2'), /Bus/);
    },
    withPvusb: (ground) => ground.refused('no-such-port', 'attach pv2 3-2 --controller 0 --port 99'),
  },
  {
    row: 10,
    setup,
    theirs: 'puts two devices that are attached at the same time into one port',
    ours: 'gives each a port of its own',
    withXl: async (ground) => {
      // libxl chooses a port, and only then waits for its lock on the guest's files: the lock is held until both have
      // chosen.
      const attach = async (busid: string) => `xl usbdev-attach pv2 ${await ground.address(busid)} 9>&- &`;
      await ground.lab.dom0(
        `domid=$(xl domid pv2); uuid=$(xenstore-read /local/domain/$domid/vm); uuid=\${uuid#/vm/}
        lock=/var/lib/xen/userdata-l.$domid.$uuid.domain-userdata-lock
        exec 9> $lock; flock 9
        ${await attach('3-2')}
        ${await attach('3-3')}
        until [ $(grep -c -e '-> FLOCK' /proc/locks) = 2 ]; do sleep 0.1; done
        rm $lock; exec 9>&-; wait`,
      );
      assert.equal((await ground.xl('usb-list pv2')).match(/Bus/g)?.length, 1);
    },
    withPvusb: async (ground) => {
      await ground.lab.dom0('for busid in 3-2 3-3; do pvusb attach pv2 $busid & done; wait');
      await ground.uses('3-2', '3-3');
    },
  },
  {
    row: 15,
    setup,
    theirs: 'takes 256 from an address, controller abc for controller 0, and knows a domain 9999',
    ours: 'refuses all three',
    withXl: async (ground) => {
      await ground.xl(`usbdev-attach pv2 ${beyondByte(await ground.address('3-2'))}`);
      await ground.uses('3-2');
      assert.equal((await ground.xlMayFail('usb-list 9999')).status, 0);
      await ground.xl('usbctrl-detach pv2 abc');
      assert.equal(await ground.xl('usb-list pv2'), '');
    },
    withPvusb: async (ground) => {
      const address = beyondByte(await ground.address('3-2'));
      for (const words of [`usbdev-attach pv2 ${address}`, 'usbctrl-detach pv2 abc']) {
        assert.notEqual((await ground.lab.dom0(`pvusb ${words}`, { mayFail: true })).status, 0, words);
      }
      await ground.uses();
      const { stderr } = await ground.lab.dom0('pvusb usb-list 9999', { mayFail: true });
      assert.match(stderr, /There is no domain 9999\./);
      assert.match(await ground.pvusb('list pv2'), /Controller 0/);
    },
  },
  {
    row: 16,
    setup,
    theirs: 'crashes when it detaches from a controller that does not exist',
    ours: 'says that it does not exist',
    withXl: async (ground) => {
      // The shell around it survives the crash.
      const { stdout } = await ground.lab.dom0('xl usbdev-detach pv2 9 1; echo $?', { mayFail: true });
      assert.ok(Number(stdout.trim()) >= 128, stdout);
    },
    withPvusb: (ground) => ground.refused('no-such-controller', 'detach pv2 9 1'),
  },
  {
    row: 19,
    setup,
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
    setup,
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
    row: 22,
    setup,
    theirs: 'has one message for a hub, a root hub and a device that does not exist',
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
    setup,
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
    setup,
    settings: async (ground) => {
      const address = (await ground.address('1-1')).replace(' ', ',');
      return [`usbdev=["${address}"]`, 'on_reboot="restart"'];
    },
    theirs: 'loses a guest with a device from its configuration at a reboot',
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

playDefects('the defects of xl, with a QEMU', 'qusb', DEFECTS);
