/** xl before, between and after. */
import assert from 'node:assert/strict';
import type { Case } from './ground.js';
import type { Setup } from './setup.js';

/** Of controllers of type pv xl asks for usbback. */
function canXlAttach({ server }: Setup): boolean {
  return server !== 'pvusb';
}

export const xlCases: readonly Case[] = [
  {
    sentence: 'xl lists and takes back what pvusb attaches',
    run: async (ground) => {
      const { guest } = ground;
      await ground.pvusb(`attach ${guest} 4-1`);
      await ground.reads('stick');
      const [{ devid, port } = { devid: -1, port: -1 }] = await ground.lent();
      assert.equal(await ground.xl(`usb-list ${guest}`), await ground.pvusb(`usb-list ${guest}`));
      assert.match(await ground.xl(`usb-list ${guest}`), /Bus 004 Device/);
      await ground.xl(`usbdev-detach ${guest} ${devid} ${port}`);
      await ground.sees('LAB0001', false);
      await ground.drivers({ '4-1:1.0': 'usb-storage' });
      await ground.mend();
    },
  },
  {
    sentence: 'pvusb lists and takes back what xl attaches',
    only: canXlAttach,
    run: async (ground) => {
      const { guest, setup } = ground;
      // In an HVM guest xl makes no controller that QEMU knows about.
      await ground.xl(`usbctrl-attach ${guest} type=${setup.type}`);
      await ground.xl(`usbdev-attach ${guest} ${await ground.address('4-1')}`);
      await ground.uses('4-1');
      await ground.reads('stick');
      await ground.pvusb('detach 4-1');
      await ground.sees('LAB0001', false);
      await ground.drivers({ '4-1:1.0': 'usb-storage' });
    },
  },
  {
    sentence: 'controllers that one adds the other removes, with devices of both in between',
    run: async (ground) => {
      const { guest, setup } = ground;
      await ground.pvusb(`controller add ${guest} --type ${setup.type} --devid 3`);
      if (canXlAttach(setup))
        await ground.xl(`usbdev-attach ${guest} ${await ground.address('1-1')} controller=3 port=1`);
      else await ground.pvusb(`attach ${guest} 1-1 --controller 3 --port 1`);
      await ground.pvusb(`attach ${guest} 3-2 --controller 3 --port 2`);
      await ground.uses('1-1', '3-2');
      await ground.xl(`usbctrl-detach ${guest} 3`);
      await ground.drivers({ '1-1:1.0': 'usb-storage', '3-2:1.0': 'usbhid' });
      await ground.mend();
    },
  },
];
