/** Programs that are killed, guests that interfere. */
import assert from 'node:assert/strict';
import type { Case, Ground } from './ground.js';

/** What a command takes when nothing disturbs it, in milliseconds, by dom0's clock. */
async function durationOf(ground: Ground, words: string): Promise<number> {
  const { stdout } = await ground.lab.dom0(
    `from=$(date +%s%N); pvusb ${words} > /dev/null; echo $((($(date +%s%N) - from) / 1000000))`,
  );
  return Number(stdout.trim());
}

/** Kills a command that much later. Gives whether it had ended by itself. */
async function killAfter(ground: Ground, words: string, ms: number): Promise<boolean> {
  const seconds = (ms / 1000).toFixed(3);
  // A shell of its own outlives it.
  const command = `timeout -s KILL ${seconds} pvusb ${words} > /dev/null 2>&1; echo $?`;
  return (await ground.lab.dom0(command)).stdout.trim() === '0';
}

export const troubleCases: readonly Case[] = [
  {
    sentence: 'an attach that is killed at any moment is mended by the doctor',
    run: async (ground) => {
      const { guest, setup } = ground;
      const attach = `attach ${guest} 3-6`;
      const ms = await durationOf(ground, attach);
      await ground.pvusb('detach 3-6');
      for (let k = 1; k <= setup.kills; k++) {
        await killAfter(ground, attach, (ms * k) / (setup.kills + 1));
        await ground.mend();
        const [lent] = await ground.lent();
        if (lent) await ground.pvusb('detach 3-6');
        await ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' });
      }
    },
  },
  {
    sentence: 'a detach that is killed at any moment is finished by running it again',
    run: async (ground) => {
      const { guest, setup } = ground;
      await ground.pvusb(`attach ${guest} 3-6`);
      const ms = await durationOf(ground, 'detach 3-6');
      for (let k = 1; k <= setup.kills; k++) {
        await ground.pvusb(`attach ${guest} 3-6`);
        const isDone = await killAfter(ground, 'detach 3-6', (ms * k) / (setup.kills + 1));
        if (!isDone) await ground.lab.dom0('pvusb detach 3-6', { mayFail: true });
        await ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' });
        assert.deepEqual(await ground.lent(), []);
      }
      await ground.mend();
    },
  },
  {
    sentence: 'devices that two programs attach at once get a port each',
    run: async (ground) => {
      const { guest, lab } = ground;
      const { stdout } = await lab.dom0(
        `for busid in 3-2 3-6 1-1; do pvusb attach ${guest} $busid & done; wait`,
      );
      assert.equal(stdout.match(/ is attached to port /g)?.length, 3, stdout);
      const lent = await ground.lent();
      assert.equal(new Set(lent.map(({ devid, port }) => `${devid}/${port}`)).size, 3);
      for (const { busid } of lent) await ground.pvusb(`detach ${busid}`);
    },
  },
  {
    sentence: 'a guest that rewrites its frontend all the time harms nobody',
    only: ({ type }) => type !== 'devicemodel',
    run: async (ground) => {
      const { guest, setup, lab } = ground;
      await ground.pvusb(`controller add ${guest} --type ${setup.type} --devid 7`);
      const start = `rewrite-frontend 7 > /tmp/rewrite.log 2>&1 & echo $! > /tmp/rewrite.pid`;
      await lab.guest(guest, start);
      await ground.eventually('the guest rewrites', async () => {
        const { stdout } = await lab.guest(guest, 'wc -l < /tmp/rewrite.log');
        assert.ok(Number(stdout) > 0, stdout);
      });
      for (let round = 0; round < 3; round++) {
        const { status } = await lab.dom0(`pvusb attach ${guest} 3-6 --controller 7 --port 3`, {
          mayFail: true,
        });
        await lab.dom0(`pvusb list ${guest}; pvusb controller info ${guest} 7`);
        if (status === 0) await ground.pvusb('detach 3-6');
        await ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' });
      }
      await lab.guest(guest, 'kill -9 $(cat /tmp/rewrite.pid)');
      await ground.pvusb(`controller destroy ${guest} 7`);
      await ground.mend();
    },
  },
];
