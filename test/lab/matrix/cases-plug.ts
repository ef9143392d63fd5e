/** Devices that are pulled out and plugged in again. */
import assert from 'node:assert/strict';
import type { Case, Ground } from './ground.js';

/** Where the stick goes instead: 4-3. */
const ELSEWHERE = { bus: 'xhci.0', port: '3' } as const;

async function isMissing(ground: Ground, busid: string): Promise<void> {
  await ground.eventually(`${busid} is missing`, async () => {
    const lent = await ground.lent();
    assert.deepEqual(
      lent.map((port) => `${port.busid} ${port.state}`),
      [`${busid} missing`],
    );
  });
}

export const plugCases: readonly Case[] = [
  {
    sentence:
      'a stick that is pulled out while the guest has it is shown, blocks nothing, and its port is freed',
    run: async (ground) => {
      await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.reads('stick');
      await ground.lab.unplug('stick');
      await isMissing(ground, '4-1');
      await ground.pvusb(`attach ${ground.guest} 1-1`);
      await ground.reads('stick2');
      await ground.mend();
      await ground.uses('1-1');
      await ground.pvusb('detach 1-1');
      await ground.lab.plug('stick');
    },
  },
  {
    sentence: 'a stick that is put into the same socket again is fixed by the doctor, and used again',
    run: async (ground) => {
      await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.reads('stick');
      await ground.lab.unplug('stick');
      await isMissing(ground, '4-1');
      await ground.lab.plug('stick');
      await ground.mend();
      // QEMU takes what is plugged into the socket of a qusb port, and the doctor hands it to the guest again; our own
      // backend opens the same device again. Otherwise it is the host's.
      const { type, server } = ground.setup;
      if (type !== 'qusb' && server !== 'pvusb') await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.uses('4-1');
      await ground.reads('stick');
      await ground.pvusb('detach 4-1');
    },
  },
  {
    sentence: 'a stick that is put into another socket is attached there by its serial number',
    run: async (ground) => {
      await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.lab.unplug('stick');
      await isMissing(ground, '4-1');
      await ground.pvusb('detach 4-1');
      await ground.lab.unplug('tablet');
      const busid = await ground.lab.plug('stick', ELSEWHERE);
      await ground.pvusb(`attach ${ground.guest} 46f4:0001:LAB0001`);
      assert.deepEqual(
        (await ground.lent()).map((port) => port.busid),
        [busid],
      );
      await ground.reads('stick');
      await ground.pvusb('detach 46f4:0001:LAB0001');
      await ground.lab.unplug('stick', busid);
      await ground.lab.plug('stick');
      await ground.lab.plug('tablet');
    },
  },
  {
    sentence: 'a watch keeps the address in the saved configuration correct, whatever is plugged in again',
    only: ({ type }) => type === 'qusb',
    run: async (ground) => {
      const { lab, guest } = ground;
      await ground.pvusb(`attach ${guest} 3-2`);
      await ground.startWatch();
      await lab.unplug('keyboard');
      await lab.plug('keyboard');
      await ground.eventually('the file has the new address', async () => {
        const stdout = await ground.watchSays();
        assert.match(stdout, /The saved configuration of \S+ \(domain \d+\) has 3-2 at 3\.\d+ now\./);
      });
      await ground.stopWatch();
      const [, hostaddr] = (await ground.address('3-2')).match(/hostaddr=(\d+)/)!;
      const { stdout } = await lab.dom0(
        `grep -ao '"hostaddr": [0-9]*' /var/lib/xen/userdata-d.$(xl domid ${guest}).*`,
      );
      assert.match(stdout, new RegExp(`"hostaddr": ${hostaddr}$`, 'm'));
      await ground.pvusb('detach 3-2');
    },
  },
];
