/** What only pvusb's own backend can do, or has to survive. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Case, Ground } from './ground.js';
import type { Setup } from './setup.js';

const only = ({ server }: Setup): boolean => server === 'pvusb';

/** Reads the whole stick, and leaves its checksum in the guest. */
const READ_ALL = `
  disk=$(findfs LABEL=LAB0001)
  sectors() { awk '{ print $3 }' /sys/block/\${disk#/dev/}/stat; }
  echo 3 > /proc/sys/vm/drop_caches
  before=$(sectors)
  (md5sum < $disk > /tmp/whole.md5 2> /tmp/whole.error; echo $? > /tmp/whole.status) &
  until [ $(($(sectors) - before)) -gt 2000 ] || [ -e /tmp/whole.status ]; do :; done`;

/** Attaches the stick, and starts a read of all of it; it is under way when this resolves. */
async function startReading(ground: Ground): Promise<void> {
  await ground.pvusb(`attach ${ground.guest} 4-1`);
  await ground.reads('stick');
  await ground.lab.guest(ground.guest, `rm -f /tmp/whole.*; ${READ_ALL}`);
}

/** How the read ended: the status of md5sum, and what it printed. */
async function readEnded(ground: Ground): Promise<{ status: string; md5: string }> {
  const { stdout } = await ground.lab.guest(
    ground.guest,
    'until [ -s /tmp/whole.status ]; do sleep 0.1; done; cat /tmp/whole.status; cut -c 1-32 /tmp/whole.md5',
  );
  const [status = '', md5 = ''] = stdout.split('\n');
  return { status, md5 };
}

async function md5InDom0(ground: Ground): Promise<string> {
  const { stdout } = await ground.lab.dom0('md5sum < $(findfs LABEL=LAB0001) | cut -c 1-32');
  return stdout.trim();
}

export const backendCases: readonly Case[] = [
  {
    sentence: 'a serial line says in both directions what is said at its other end',
    only: ({ server, type }) => server !== 'usbback' && type !== 'qusb',
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 3-4`);
      await ground.uses('3-4');
      const far = connect(lab.serialSocket);
      await once(far, 'connect');
      try {
        let said = '';
        far.on('data', (bytes) => {
          said += bytes.toString();
        });
        await lab.guest(
          guest,
          `rm -f /tmp/heard; until [ -e /dev/ttyUSB0 ]; do sleep 0.1; done
           (exec 3<> /dev/ttyUSB0; stty raw -echo <&3; echo from the guest >&3; head -n 1 <&3 > /tmp/heard) &`,
        );
        await ground.eventually('the other end hears the guest', async () => {
          await lab.dom0('true');
          assert.match(said, /from the guest/);
        });
        far.write('from afar\n');
        await ground.eventually('the guest hears the other end', async () => {
          assert.equal((await lab.guest(guest, 'cat /tmp/heard')).stdout, 'from afar\n');
        });
      } finally {
        far.destroy();
      }
      await ground.pvusb('detach 3-4');
      await ground.drivers({ '3-4:1.0': 'ftdi_sio' });
    },
  },
  {
    // Request 5 of FTDI's: whatever its type is, QEMU's qusb takes request 5 for SET_ADDRESS, and loses the device.
    sentence:
      'a serial line is lost when the guest opens it, and comes back: QEMU takes it for another device',
    only: ({ type }) => type === 'qusb',
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 3-4`);
      await ground.uses('3-4');
      const told = await lab.guest(
        guest,
        `until [ -e /dev/ttyUSB0 ]; do sleep 0.1; done
         (: <> /dev/ttyUSB0) > /dev/null 2>&1 &
         until dmesg | grep 'ttyUSB0: failed to get modem status'; do sleep 0.1; done`,
      );
      assert.match(told.stdout, /failed to get modem status/);
      await ground.pvusb('detach 3-4');
      await ground.drivers({ '3-4:1.0': 'ftdi_sio' });
    },
  },
  {
    sentence: 'sound is heard: isochronous transfers',
    only,
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 3-6`);
      await ground.uses('3-6');
      const before = (await readFile(lab.soundFile)).length;
      // A square wave at 8 kHz, 8 bits: a second of it.
      await lab.guest(
        guest,
        `until [ -e /dev/dsp ]; do sleep 0.1; done
         i=0; while [ $i -lt 200 ]; do printf '\\377%.0s' $(seq 20); printf '\\001%.0s' $(seq 20); i=$((i + 1)); done > /tmp/wave
         cat /tmp/wave > /dev/dsp`,
      );
      await ground.eventually('the wave is in what was played', async () => {
        const played = (await readFile(lab.soundFile)).subarray(before);
        const samples = new Int16Array(
          played.buffer.slice(played.byteOffset, played.byteOffset + (played.length & ~1)),
        );
        const loud = samples.filter((sample) => Math.abs(sample) > 20_000);
        const high = loud.filter((sample) => sample > 0).length;
        // Half a second of two channels at 48 kHz at least, as often up as down.
        assert.ok(loud.length > 48_000, `${samples.length} samples, ${loud.length} loud`);
        assert.ok(high > 0.3 * loud.length && high < 0.7 * loud.length, `${high} of ${loud.length} are up`);
      });
      await ground.pvusb('detach 3-6');
      await ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' });
    },
  },
  {
    sentence: 'a network adapter gets an address by DHCP',
    only,
    run: async (ground) => {
      const { guest, lab } = ground;
      const before = (await lab.drivers())['3-7:1.0'];
      await ground.pvusb(`attach ${guest} 3-7`);
      await ground.uses('3-7');
      const { stdout } = await lab.guest(
        guest,
        `until adapter=$(ls /sys/class/net | grep -v lo); do sleep 0.1; done
         ifconfig $adapter up; udhcpc -i $adapter -n -q -s /bin/true -t 20 2>&1`,
      );
      assert.match(stdout, /lease of 10\.0\.2\.\d+ obtained/);
      await ground.pvusb('detach 3-7');
      await ground.drivers({ '3-7:1.0': before ?? '-' });
    },
  },
  {
    sentence: 'what is written to a stick is on it',
    only: ({ hasData }) => hasData,
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} 4-1`);
      await ground.reads('stick');
      const { stdout } = await lab.guest(
        guest,
        `mount -t vfat $(findfs LABEL=LAB0001) /mnt
         head -c 8388608 /dev/urandom | tee /mnt/written.bin | md5sum | cut -c 1-32
         umount /mnt; stick-md5 LAB0001 written.bin`,
      );
      const [written, read] = stdout.trim().split('\n');
      assert.equal(read, written);
      await ground.pvusb('detach 4-1');
      const there = await lab.dom0(
        `until disk=$(findfs LABEL=LAB0001); do sleep 0.1; done 2> /dev/null
         mount -o sync $disk /mnt; md5sum < /mnt/written.bin | cut -c 1-32; rm /mnt/written.bin; umount /mnt`,
      );
      assert.equal(there.stdout.trim(), written);
    },
  },
  {
    sentence: 'a backend that is killed while a guest reads is replaced, and the guest reads what is there',
    only,
    run: async (ground) => {
      const whole = await md5InDom0(ground);
      for (const signal of ['KILL', 'TERM'] as const) {
        await startReading(ground);
        await ground.killBackend(signal);
        await ground.startBackend();
        assert.deepEqual(await readEnded(ground), { status: '0', md5: whole }, await ground.backendSays());
        await ground.uses('4-1');
        await ground.pvusb('detach 4-1');
        await ground.drivers({ '4-1:1.0': 'usb-storage' });
      }
    },
  },
  {
    sentence: 'a stick that is pulled out while a guest reads ends the read, and nothing else',
    only,
    run: async (ground) => {
      const whole = await md5InDom0(ground);
      await ground.pvusb(`attach ${ground.guest} 1-1`);
      await startReading(ground);
      await ground.lab.unplug('stick');
      assert.notEqual((await readEnded(ground)).md5, whole);
      await ground.sees('LAB0001', false);
      await ground.reads('stick2');
      await ground.mend();
      await ground.lab.plug('stick');
      await ground.uses('1-1');
      await ground.pvusb('detach 1-1');
    },
  },
  {
    sentence: 'without a backend a device is taken back all the same, and the doctor says who is missing',
    only,
    run: async (ground) => {
      await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.reads('stick');
      await ground.killBackend('KILL');
      const { stdout } = await ground.lab.dom0('pvusb doctor', { mayFail: true });
      assert.match(stdout, /backend/);
      await ground.pvusb('detach 4-1');
      await ground.drivers({ '4-1:1.0': 'usb-storage' });
      await ground.startBackend();
      await ground.sees('LAB0001', false);
      await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.reads('stick');
      await ground.pvusb('detach 4-1');
    },
  },
  {
    sentence: 'one backend is enough: another says so, and touches nothing',
    only,
    run: async (ground) => {
      await ground.pvusb(`attach ${ground.guest} 4-1`);
      await ground.refused('backend-impossible', 'backend');
      await ground.reads('stick');
      await ground.pvusb('detach 4-1');
    },
  },
];
