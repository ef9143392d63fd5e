/** Programs that are killed, guests that interfere. */
import assert from 'node:assert/strict';
import type { Case, Ground } from './ground.js';

/** The interfaces of 3-6, on the host's driver. */
const HOME = { '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' };

/** The exit status of what was killed by signal 9. */
const KILLED = 137;

/** A command changes the host at least so many times: fewer would mean that it was not cut off at all. */
const CHANGES = 3;

/** Kills a command before its n-th change of the host. Gives whether there was one: else it has ended well. */
async function killedAt(ground: Ground, n: number, words: string): Promise<boolean> {
  const { status, stderr } = await ground.lab.dom0(`kill-at ${n} pvusb ${words}`, { mayFail: true });
  assert.ok(status === 0 || status === KILLED, `pvusb ${words}, to be killed at ${n}: ${status} ${stderr}`);
  if (status === 0) assert.ok(n > CHANGES, `${words} has made less than ${n} changes`);
  return status === KILLED;
}

/** Fails unless 3-6 is the host's, and nothing is remembered of its having been lent. */
async function isHome(ground: Ground): Promise<void> {
  await ground.drivers(HOME);
  const { status } = await ground.lab.dom0('xenstore-exists /libxl/usbback/3-6', { mayFail: true });
  assert.notEqual(status, 0, 'the drivers of 3-6 are still saved');
}

export const troubleCases: readonly Case[] = [
  {
    sentence: 'an attach that is killed at any step is mended by the doctor',
    run: async (ground) => {
      for (let n = 1; await killedAt(ground, n, `attach ${ground.guest} 3-6`); n++) {
        await ground.mend();
        // The guest has it if all that was left to do is to let go of libxl's lock.
        const { '3-6:1.0': driver } = await ground.lab.drivers();
        if (driver !== HOME['3-6:1.0']) await ground.pvusb('detach 3-6');
        await isHome(ground);
      }
      await ground.uses('3-6');
      await ground.pvusb('detach 3-6');
    },
  },
  {
    sentence: 'a detach that is killed at any step is finished by running it again',
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 3-6`);
      for (let n = 1; await killedAt(ground, n, 'detach 3-6'); n++) {
        // It says that nothing is attached if all that was left to do is to let go of libxl's lock.
        const { status, stderr } = await lab.dom0('pvusb detach 3-6', { mayFail: true });
        if (status !== 0) assert.match(stderr, /\(port-empty\)/);
        await isHome(ground);
        await ground.pvusb(`attach ${guest} 3-6`);
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
        await ground.drivers(HOME);
      }
      await lab.guest(guest, 'kill -9 $(cat /tmp/rewrite.pid)');
      await ground.pvusb(`controller destroy ${guest} 7`);
      await ground.mend();
    },
  },
];
