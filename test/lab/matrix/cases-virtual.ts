/** Virtual devices, and a QEMU for a guest that was created without one. */
import assert from 'node:assert/strict';
import { ALL_PASS, RUN_USBTEST } from './cases-usbtest.js';
import type { Case, Ground } from './ground.js';
import { canServeQusb, type Setup } from './setup.js';

const only = ({ server }: Setup): boolean => server === 'pvusb';

const IMAGE = '/root/virtual.img';

/** The disk that pvusb's virtual stick is in a guest, when it is there. */
const FIND = `
  disk=; until [ "$disk" ]; do
    for one in /sys/block/sd*; do
      grep -q pvusb $one/device/vendor && disk=\${one#/sys/block/}
    done 2> /dev/null
    [ "$disk" ] || sleep 0.2
  done`;

async function md5(ground: Ground): Promise<{ readonly host: string; readonly guest: string }> {
  const host = await ground.lab.dom0(`md5sum < ${IMAGE}`);
  const guest = await ground.lab.guest(ground.guest, `${FIND}; md5sum < /dev/$disk`);
  return { host: host.stdout.trim(), guest: guest.stdout.trim() };
}

/** xl and pvusb share the QEMU that pvusb has started. */
async function useQemu(ground: Ground): Promise<void> {
  const { guest } = ground;
  await ground.pvusb(`controller add ${guest} --type qusb`);
  await ground.pvusb(`attach ${guest} 4-1 --controller 0`);
  await ground.reads('stick');
  await ground.uses('4-1');
  assert.match(await ground.xl(`usb-list ${guest}`), /^0 +qusb [\s\S]*Port 1: Bus 004 /m);
  await ground.refused('qemu-in-use', `qemu stop ${guest}`);
  await ground.xl(`usbdev-detach ${guest} 0 1`);
  await ground.xl(`usbdev-attach ${guest} ${await ground.address('4-1')}`);
  await ground.reads('stick');
}

export const virtualCases: readonly Case[] = [
  {
    sentence:
      'a virtual stick is what its image holds; it can be read-only, and survives kill -9 of the backend',
    only,
    run: async (ground) => {
      const { guest, lab } = ground;
      await lab.dom0(`dd if=/dev/urandom of=${IMAGE} bs=64k count=32 2> /dev/null`);
      await ground.refused('image-unusable', `attach ${guest} stick:/root/none.img`);
      await ground.pvusb(`attach ${guest} read-only-stick:${IMAGE}`);
      const first = await md5(ground);
      assert.equal(first.guest, first.host);
      const { status } = await lab.guest(guest, `${FIND}; echo x > /dev/$disk && sync`, { mayFail: true });
      assert.notEqual(status, 0, 'it is write-protected');
      assert.match(await ground.pvusb('list'), new RegExp(`port 1 +read-only-stick:${IMAGE}`));
      assert.match(await ground.xl(`usb-list ${guest}`), /Port 1:\n/);
      await ground.pvusb(`detach read-only-stick:${IMAGE}`);

      await ground.pvusb(`attach ${guest} stick:${IMAGE}`);
      await lab.guest(
        guest,
        `${FIND}; dd if=/dev/urandom of=/dev/$disk bs=64k count=4 conv=fsync 2> /dev/null`,
      );
      await ground.killBackend('KILL');
      await ground.startBackend();
      await lab.guest(guest, 'echo 3 > /proc/sys/vm/drop_caches');
      const second = await md5(ground);
      assert.equal(second.guest, second.host);
      assert.notEqual(second.host, first.host);
      await ground.refused('already-attached', `attach ${guest} read-only-stick:${IMAGE}`);

      await ground.pvusb(`detach stick:${IMAGE}`);
      await ground.pvusb(`controller remove ${guest} 0`);
      await lab.dom0(`rm ${IMAGE}`);
    },
  },
  {
    sentence:
      "a virtual keyboard is an input device, and a virtual source and sink passes the kernel's own tests",
    only,
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.pvusb(`attach ${guest} keyboard`);
      await ground.eventually('the guest has a keyboard', async () => {
        const { stdout } = await lab.guest(guest, 'cat /proc/bus/input/devices');
        assert.match(stdout, /^N: Name="pvusb virtual keyboard"\n(.+\n)*H: Handlers=(?=.*kbd).*event\d/m);
      });
      await ground.pvusb(`attach ${guest} source-sink`);
      const { stdout } = await lab.guest(guest, RUN_USBTEST, { withinSeconds: 900 });
      assert.equal(stdout, ALL_PASS);
      const listed = await ground.pvusb(`list ${guest}`);
      assert.match(listed, /port 1 +keyboard\n/);
      assert.match(listed, /port 1 +source-sink\n/);
      for (const name of ['source-sink', 'keyboard']) await ground.pvusb(`detach ${name}`);
      await ground.eventually('both are gone', async () => {
        const { stdout: seen } = await lab.guest(guest, 'usb-list');
        assert.doesNotMatch(seen, /0525:a4a0|1d6b:0104/);
      });
    },
  },
  {
    sentence: 'a guest without a QEMU is given one while it runs: xl uses it, and ends it with the guest',
    only,
    endsGuest: true,
    run: async (ground) => {
      const { guest, lab } = ground;
      await ground.refused('no-device-model', `controller add ${guest} --type qusb`);
      assert.match(await ground.pvusb(`qemu start ${guest} --dry-run`), /start a QEMU for domain/);
      await ground.pvusb(`qemu start ${guest}`);
      await ground.pvusb(`qemu stop ${guest}`);
      await ground.refused('no-device-model', `controller add ${guest} --type qusb`);
      await ground.pvusb(`qemu start ${guest}`);
      if (canServeQusb(lab.options.release)) await useQemu(ground);
      else {
        // It would end: it is left alone.
        await ground.refused('no-device-model', `controller add ${guest} --type qusb`);
        assert.ok(await ground.signalQemu('0'));
      }

      const domid = (await ground.xl(`domid ${guest}`)).trim();
      const { stdout: pid } = await lab.dom0(`xenstore-read /local/domain/${domid}/image/device-model-pid`);
      await lab.dom0(`xl destroy ${guest}; timeout 60 tail --pid=${pid.trim()} -f /dev/null`);
      const { stdout } = await lab.dom0(
        `xenstore-ls -f | grep -E '^/libxl/${domid}/|/device-model/${domid}' || true; ls /var/run/xen | grep -- '-${domid}$' || true`,
      );
      assert.equal(stdout, '');
      await ground.mend();
    },
  },
];
