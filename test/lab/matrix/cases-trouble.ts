/** Programs that are killed, guests that interfere. */
import assert from 'node:assert/strict';
import type { Case, Ground } from './ground.js';

/** The interfaces of 3-6, on the host's driver. */
const HOME = { '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' };

/** The exit status of a program killed by signal 9. */
const KILLED = 137;

/** A command changes the host at least this many times: fewer would mean that it was never interrupted. */
const CHANGES = 3;

/** How an attach that the guest disturbs may fail. */
const REFUSAL = /\((controller-closing|state-timeout|sysfs-failed|not-opened|qemu-timeout|qemu-refused)\)/;

/**
 * Kills a command before its first change to the host, then before its second, and so on, until it succeeds. `prepare`
 * runs before each of them, `recover` after each that was killed.
 */
async function killAtEachChange(
  ground: Ground,
  words: string,
  { prepare, recover }: { prepare?: () => Promise<unknown>; recover: () => Promise<unknown> },
): Promise<void> {
  for (let n = 1; ; n++) {
    await prepare?.();
    const { status, stderr } = await ground.lab.dom0(`kill-at ${n} pvusb ${words}`, { mayFail: true });
    if (status === 0) return assert.ok(n > CHANGES, `${words} has made less than ${n} changes`);
    assert.equal(status, KILLED, `pvusb ${words}, to be killed at ${n}: ${stderr}`);
    await recover();
  }
}

/** Fails unless 3-6 is the host's, and there is no record of its having been lent. */
async function isHome(ground: Ground): Promise<void> {
  await ground.drivers(HOME);
  const { status } = await ground.lab.dom0('xenstore-exists /libxl/usbback/3-6', { mayFail: true });
  assert.notEqual(status, 0, 'the drivers of 3-6 are still saved');
}

/** Whether 3-6 is not the host's; if it is the host's, it must be so completely. */
async function isLent(ground: Ground): Promise<boolean> {
  const { '3-6:1.0': driver } = await ground.lab.drivers();
  const lent = driver !== HOME['3-6:1.0'];
  if (!lent) await isHome(ground);
  return lent;
}

export const troubleCases: readonly Case[] = [
  {
    sentence:
      'an attach that is killed at any step, including those of adding a controller, is fixed by the doctor',
    only: ({ type, machine }) => type !== 'qusb' && machine.store === 'c',
    run: async (ground) => {
      await killAtEachChange(ground, `attach ${ground.guest} 3-6`, {
        recover: async () => {
          await ground.mend();
          await ground.restore();
          await isHome(ground);
        },
      });
      await ground.uses('3-6');
    },
  },
  {
    sentence: 'an attach that is killed at any step is fixed by the doctor',
    only: ({ type, machine }) => type === 'qusb' || machine.store === 'o',
    run: async (ground) => {
      const { guest, setup } = ground;
      if (setup.type !== 'qusb') await ground.pvusb(`controller add ${guest}`);
      await killAtEachChange(ground, `attach ${guest} 3-6`, {
        recover: async () => {
          await ground.mend();
          // The guest has it if all that was left to do was to release libxl's lock.
          if (!(await isLent(ground))) return;
          await ground.pvusb('detach 3-6');
          await isHome(ground);
        },
      });
      await ground.uses('3-6');
    },
  },
  {
    sentence: 'a detach that is killed at any step is finished by running it again',
    run: async (ground) => {
      const { guest, lab } = ground;
      await killAtEachChange(ground, 'detach 3-6', {
        prepare: () => ground.pvusb(`attach ${guest} 3-6`),
        recover: async () => {
          // It says that nothing is attached if all that was left to do was to release libxl's lock.
          const { status, stderr } = await lab.dom0('pvusb detach 3-6', { mayFail: true });
          if (status !== 0) assert.match(stderr, /\(port-empty\)/);
          await isHome(ground);
        },
      });
      await ground.mend();
    },
  },
  {
    sentence: 'a controller destroyed with its device by a program that is killed at any step is fixed, too',
    only: ({ type, machine }) => type !== 'devicemodel' && machine.store === 'c' && machine.cpu === 'pv',
    run: async (ground) => {
      const { guest } = ground;
      await killAtEachChange(ground, `controller destroy ${guest} 0`, {
        prepare: async () => {
          if (!(await isLent(ground))) await ground.pvusb(`attach ${guest} 3-6`);
        },
        recover: () => ground.mend(),
      });
      await isHome(ground);
    },
  },
  {
    sentence: 'devices that programs attach at the same time get a port each',
    run: async (ground) => {
      const { guest, lab } = ground;
      const { stdout, stderr } = await lab.dom0(
        `for busid in 3-2 3-6 1-1; do pvusb attach ${guest} $busid & done; wait`,
      );
      assert.equal(stdout.match(/ is attached to port /g)?.length, 3, `${stdout}${stderr}`);
      const lent = await ground.lent();
      assert.equal(new Set(lent.map(({ devid, port }) => `${devid}/${port}`)).size, 3);
      for (const { busid } of lent) await ground.pvusb(`detach ${busid}`);
    },
  },
  {
    sentence: 'a guest that constantly rewrites its frontend does no harm',
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
      for (let round = 0; round < 2; round++) {
        const { status, stderr } = await lab.dom0(`pvusb attach ${guest} 3-6 --controller 7 --port 3`, {
          mayFail: true,
        });
        await lab.dom0(`pvusb list ${guest}; pvusb controller info ${guest} 7`);
        if (status === 0) await ground.pvusb('detach 3-6');
        else assert.match(stderr, REFUSAL);
        await ground.drivers(HOME);
      }
      await lab.guest(guest, 'kill -9 $(cat /tmp/rewrite.pid)');
      await ground.pvusb(`controller destroy ${guest} 7`);
      await ground.mend();
    },
  },
];
