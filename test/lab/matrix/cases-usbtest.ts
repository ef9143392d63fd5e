/** The kernel's own tests of USB controllers, `usbtest`: in dom0 on its own device, and in a guest through pvusb. */
import assert from 'node:assert/strict';
import { progress } from '../../../lab/base/progress.js';
import type { Case, Ground } from './ground.js';

/** Those that need no isochronous endpoints. */
const TESTS = [...Array.from({ length: 15 }, (_, test) => test), 17, 18, 24, 29];

/** Iterations, bytes, by how much these vary, pieces: few, since everything is emulated. */
const PARAMETERS = '32 1024 512 8';

/** A source and sink of bytes (Gadget Zero) on a simulated controller of dom0's kernel. */
const ADD_GADGET = `
  modprobe -a dummy_hcd libcomposite usb_f_ss_lb usbtest
  mount -t configfs configfs /sys/kernel/config
  cd /sys/kernel/config/usb_gadget && mkdir zero && cd zero
  echo 0x0525 > idVendor; echo 0xa4a0 > idProduct
  mkdir functions/SourceSink.0 configs/c.3
  ln -s functions/SourceSink.0 configs/c.3/
  ls /sys/class/udc > UDC`;

const REMOVE_GADGET = `
  cd /sys/kernel/config/usb_gadget/zero && echo > UDC
  rm configs/c.3/SourceSink.0; rmdir configs/c.3 functions/SourceSink.0; cd ..; rmdir zero; cd /
  umount /sys/kernel/config; modprobe -r usbtest usb_f_ss_lb libcomposite dummy_hcd`;

/** Finds the device, and prints a line for each test. */
export const RUN_USBTEST = `
  find_gadget() {
    for folder in /sys/bus/usb/devices/*; do
      [ "$(cat $folder/idVendor 2> /dev/null):$(cat $folder/idProduct 2> /dev/null)" = 0525:a4a0 ] && return
    done
    return 1
  }
  until find_gadget; do sleep 0.2; done
  until ls $folder/*:*.0/driver > /dev/null 2>&1; do sleep 0.2; done
  node=$(printf /dev/bus/usb/%03d/%03d $(cat $folder/busnum) $(cat $folder/devnum))
  for test in ${TESTS.join(' ')}; do echo $test $(test-usb $node 0 $test ${PARAMETERS}); done`;

/** What that prints when all pass. */
export const ALL_PASS = TESTS.map((test) => `${test} ok\n`).join('');

async function busidOfGadget(ground: Ground): Promise<string> {
  const devices = JSON.parse(await ground.pvusb('devices --json')) as {
    readonly busid: string;
    readonly vendorId: string;
    readonly productId: string;
  }[];
  return devices.find((one) => one.vendorId === '0525' && one.productId === 'a4a0')?.busid ?? 'none';
}

export const usbtestCases: readonly Case[] = [
  {
    sentence: "the kernel's own tests of USB controllers pass in the guest as they do in dom0",
    only: ({ server }) => server === 'pvusb',
    run: async (ground) => {
      const { guest, lab } = ground;
      await lab.dom0(ADD_GADGET);
      try {
        const { stdout: host } = await lab.dom0(RUN_USBTEST);
        await ground.pvusb(`attach ${guest} ${await busidOfGadget(ground)}`);
        const { stdout } = await lab.guest(guest, RUN_USBTEST, { withinSeconds: 900 });
        progress(`usbtest, in dom0:\n${host}in the guest:\n${stdout}`);
        assert.equal(host, ALL_PASS, 'in dom0');
        assert.equal(stdout, host, 'in the guest');
        await ground.pvusb(`detach ${await busidOfGadget(ground)}`);
      } finally {
        await lab.dom0(REMOVE_GADGET);
      }
    },
  },
];
