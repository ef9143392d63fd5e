/** What the host needs, and rules, on a real Xen. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DISK_MODULES, DISK_USES } from './disks.js';
import { Ground } from './matrix/ground.js';
import { SETUPS } from './matrix/setup.js';
import { CasesLab } from './with-lab.js';

const REASON = 'the backup now runs in pv2';

/** Fails unless pvusb refuses, because of this use of the device. */
async function needs({ lab }: Ground, use: string, words: string): Promise<void> {
  const { status, stderr } = await lab.dom0(`pvusb ${words}`, { mayFail: true });
  assert.equal(status, 1, `pvusb ${words} succeeded`);
  assert.ok(stderr.includes(use) && stderr.includes('(host-needs-it)'), `pvusb ${words}: ${stderr}`);
}

/** Fails unless the guest is given a device, which is then taken back. */
async function isFree(ground: Ground, busid: string): Promise<void> {
  await ground.pvusb(`attach pv2 ${busid}`);
  await ground.uses(busid);
  // Which of its two drivers the network device gets is a race, and pvusb says so when it is the other one.
  await ground.lab.dom0(`pvusb detach ${busid}`, { mayFail: true });
  await ground.uses();
}

describe('what the host needs', { concurrency: 1 }, () => {
  let cases: CasesLab;
  const play = (part: (ground: Ground) => Promise<void>) =>
    cases.play((lab) => part(new Ground(lab, SETUPS.qusb)));

  before(async () => {
    cases = await CasesLab.start({ name: 'safety' }, async (lab) => {
      await lab.dom0(`mkdir -p /mnt; modprobe -a vfat nls_cp437 nls_ascii xen-blkback ${DISK_MODULES}`);
      await lab.startGuest('pv2');
    });
  });
  after(() => cases?.stop());

  it('a mounted stick is refused, unless it is forced, and the reason is shown', () =>
    play(async (ground) => {
      const { lab } = ground;
      const disk = await ground.disk('4-1');
      const use = `${disk.slice('/dev/'.length)} on it is mounted at /mnt`;
      await lab.dom0(`mount ${disk} /mnt`);
      await needs(ground, use, 'attach pv2 4-1');
      await needs(ground, use, `usbdev-attach pv2 ${await ground.address('4-1')}`);
      assert.match(await ground.pvusb('devices'), /^4-1 .* no \(sd[a-z]+ is mounted at \/mnt\)/m);

      assert.ok((await ground.pvusb(`attach pv2 4-1 --force=${JSON.stringify(REASON)}`)).includes(use));
      await ground.uses('4-1');
      for (const shown of ['list pv2', 'inventory'])
        assert.ok((await ground.pvusb(shown)).includes(REASON), shown);
      await lab.dom0('umount /mnt');
      await ground.pvusb('detach 4-1');
      assert.ok(!(await ground.pvusb('inventory')).includes(REASON));
      await isFree(ground, '4-1');
    }));

  for (const { title, begin, says, end, warns, wipe } of DISK_USES)
    it(`${title} is refused, and lent afterwards`, () =>
      play(async (ground) => {
        const { lab } = ground;
        const disk = await ground.disk('1-1');
        const named = (text: string) => text.replace('DISK', disk.slice('/dev/'.length));
        const onDisk = async (commands: string) =>
          lab.dom0(`set -e; disk=${await ground.disk('1-1')}; ${commands}; udevadm settle`);
        await onDisk(begin);
        for (const use of says.map(named)) {
          await needs(ground, use, 'attach pv2 1-1');
          await needs(ground, use, `usbdev-attach pv2 ${await ground.address('1-1')}`);
        }
        const shown = named(says[0]!).replace(' on it', '');
        assert.match(await ground.pvusb('devices'), new RegExp(`^1-1 .* no \\(${shown}\\)`, 'm'));
        await onDisk(end);
        const { stdout, stderr } = await lab.dom0('pvusb attach pv2 1-1');
        assert.ok((stdout + stderr).includes(named(warns ?? '')), stdout + stderr);
        await ground.uses('1-1');
        await ground.pvusb('detach 1-1');
        await onDisk(wipe);
      }));

  it('a stick that is the disk of a guest is refused', () =>
    play(async (ground) => {
      await ground.xl(`block-attach pv2 phy:${await ground.disk('4-1')} xvdb w`);
      const domid = (await ground.xl('domid pv2')).trim();
      await needs(ground, `is a disk of domain ${domid}.`, 'attach pv2 4-1');
      // The guest has no driver that would let go of it.
      await ground.xl('block-detach --force pv2 xvdb');
      await isFree(ground, '4-1');
    }));

  it('a network device with the default route, or an address, is refused', () =>
    play(async (ground) => {
      const { lab } = ground;
      const { stdout } = await lab.dom0('basename /sys/bus/usb/devices/3-7:*/net/*');
      const name = stdout.trim();
      await lab.dom0(
        `ip address add 192.0.2.2/24 dev ${name}; ip link set ${name} up; ip route add default via 192.0.2.1`,
      );
      await needs(ground, `${name} on it carries the default route`, 'attach pv2 3-7');
      await lab.dom0('ip route del default via 192.0.2.1');
      await needs(ground, `${name} on it has the address 192.0.2.2`, 'attach pv2 3-7');
      // The machine's network gives it an address and a route of IPv6, too.
      await lab.dom0(`ip address flush dev ${name}; ip link set ${name} down`);
      await isFree(ground, '3-7');
    }));

  it('a keyboard is lent while the host has another one, and the last one is refused', () =>
    play(async (ground) => {
      await isFree(ground, '3-2');
      await ground.lab.unplug('keyboard2');
      await needs(ground, "it is the host's only keyboard", 'attach pv2 3-2');
      await ground.lab.plug('keyboard2');
      await isFree(ground, '3-2');
    }));

  it('a rule brings a stick back after a replug and after a reboot', () =>
    play(async (ground) => {
      const { lab } = ground;
      await ground.pvusb('assign pv2 4-1');
      await ground.pvusb('reconcile');
      await ground.reads('stick');
      await ground.startWatch();
      try {
        await lab.unplug('stick');
        await ground.sees('LAB0001', false);
        await lab.plug('stick');
        await ground.uses('4-1');
        await ground.reads('stick');
        await lab.rebootGuest('pv2');
        await ground.uses('4-1');
        await ground.reads('stick');
      } catch (error) {
        throw new Error(`the watch said:\n${await ground.watchSays()}`, { cause: error });
      } finally {
        await ground.stopWatch();
      }
      assert.match(await ground.pvusb('explain 4-1'), /serial=LAB0001/);
      assert.match(await ground.pvusb('assignments'), / pv2 +auto +present +4-1 /);
    }));
});
