/** Guests that go away and come back. */
import assert from 'node:assert/strict';
import type { Case, Ground } from './ground.js';

async function withWatch(ground: Ground, body: () => Promise<void>): Promise<void> {
  await ground.startWatch();
  try {
    await body();
  } catch (error) {
    const stdout = await ground.watchSays();
    throw new Error(`the watch said:\n${stdout}`, { cause: error });
  } finally {
    await ground.stopWatch();
  }
}

export const lifeCases: readonly Case[] = [
  {
    sentence: 'a guest that xl reboots has its devices again',
    endsGuest: true,
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 4-1`);
      await ground.pvusb(`attach ${guest} 3-2`);
      await ground.reads('stick');
      await withWatch(ground, async () => {
        await lab.rebootGuest(ground.setup.guest);
        await ground.uses('3-2', '4-1');
        await ground.reads('stick');
      });
      await lab.dom0(`xl destroy ${guest}`);
      await ground.mend();
    },
  },
  {
    sentence: 'everything that a crashed guest leaves behind is given back',
    endsGuest: true,
    // A crash may end in a triple fault, which Xen takes for a reboot.
    settings: ['on_reboot="preserve"'],
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 3-6`);
      await ground.uses('3-6');
      await withWatch(ground, async () => {
        await lab
          .guest(guest, 'echo c > /proc/sysrq-trigger', { mayFail: true, withinSeconds: 5 })
          .catch(() => undefined);
        await ground.eventually('the guest has crashed', async () => {
          // Name, domid, memory, CPUs, state (crashed, or shut down for an unwanted reboot), time.
          assert.match(await ground.xl(`list ${guest}`), /^\S+ +\d+ +\d+ +\d+ +[-rbp]*[cs]/m);
        });
        assert.deepEqual(
          (await ground.lent()).map(({ busid }) => busid),
          ['3-6'],
        );
        await lab.dom0(`xl destroy ${guest}`);
        await ground.eventually('the drivers are back', () =>
          ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' }),
        );
      });
      await ground.mend();
    },
  },
  {
    sentence: 'a guest that xl destroys gives its devices back, even if its QEMU died before',
    endsGuest: true,
    run: async (ground) => {
      const { guest, lab, setup } = ground;
      await ground.pvusb(`attach ${guest} 4-1`);
      await ground.pvusb(`attach ${guest} 3-6`);
      await withWatch(ground, async () => {
        if (setup.server === 'QEMU') {
          await ground.signalQemu('KILL');
          await ground.refused('qemu-dead', `attach ${guest} 3-2`);
        }
        await lab.dom0(`xl destroy ${guest}`);
        const home = { '4-1:1.0': 'usb-storage', '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' };
        await ground.eventually('the drivers are back', () => ground.drivers(home));
      });
      assert.doesNotMatch(await ground.pvusb('list'), new RegExp(guest));
      await ground.mend();
    },
  },
];
