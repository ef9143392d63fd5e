/** Using it: controllers, and devices by every name. */
import assert from 'node:assert/strict';
import type { Case } from './ground.js';

/** One device of each kind, its name of each kind, and the drivers it comes back to. */
const DEVICES = [
  { busid: '3-2', name: '3-2' },
  { busid: '3-5.1', name: '3-5.1' },
  { busid: '3-6', name: '46f4:0002' },
  { busid: '3-4', name: '0403:6001' },
  { busid: '3-8', name: '3-8' },
];

export const useCases: readonly Case[] = [
  {
    sentence: 'a controller is added, listed, shown, and removed',
    run: async (ground) => {
      const { guest, setup } = ground;
      const rootHubs = await ground.rootHubs();
      const added = await ground.pvusb(`controller add ${guest} --type ${setup.type} --usb 2 --json`);
      const { devid, ports } = JSON.parse(added) as { devid: number; ports: number };
      assert.equal(ports, setup.type === 'devicemodel' ? 6 : 8);
      assert.match(
        await ground.pvusb(`list ${guest}`),
        new RegExp(`Controller ${devid}: ${setup.type}, USB 2`),
      );
      assert.match(
        await ground.pvusb(`controller info ${guest} ${devid}`),
        new RegExp(`^served by +.*\\b${setup.server}\\b`, 'm'),
      );
      assert.match(await ground.xl(`usb-list ${guest}`), new RegExp(`^${devid} +${setup.type} `, 'm'));
      await ground.seesRootHubs(rootHubs + 1);
      await ground.pvusb(`controller remove ${guest} ${devid}`);
      await ground.seesRootHubs(rootHubs);
      await ground.refused('no-such-controller', `controller info ${guest} ${devid}`);
    },
  },
  ...[
    ['its busid', '4-1'],
    ['its ids and serial number', '46f4:0001:LAB0001'],
  ].map(
    ([what, name]): Case => ({
      sentence: `a stick named by ${what} is read by the guest, and comes back`,
      run: async (ground) => {
        await ground.pvusb(`attach ${ground.guest} ${name}`);
        await ground.reads('stick');
        await ground.uses('4-1');
        await ground.pvusb(`detach ${name}`);
        await ground.sees('LAB0001', false);
        await ground.drivers({ '4-1:1.0': 'usb-storage' });
      },
    }),
  ),
  {
    sentence: 'a stick named by its address goes to the requested port, and a taken port is refused',
    run: async (ground) => {
      const { guest, setup } = ground;
      await ground.pvusb(`controller add ${guest} --type ${setup.type} --devid 5`);
      const address = (await ground.address('4-1')).replace(/hostbus=(\d+) hostaddr=(\d+)/, '$1.$2');
      await ground.pvusb(`attach ${guest} ${address} --controller 5 --port 2`);
      assert.deepEqual(
        (await ground.lent()).map(({ devid, port, busid }) => [devid, port, busid]),
        [[5, 2, '4-1']],
      );
      await ground.reads('stick');
      await ground.refused('port-in-use', `attach ${guest} 3-2 --controller 5 --port 2`);
      await ground.refused('no-such-port', `attach ${guest} 3-2 --controller 5 --port 99`);
      await ground.refused('already-attached', `attach ${guest} 4-1`);
      await ground.refused('ambiguous-device', `attach ${guest} 46f4:0001`);
      await ground.refused('is-hub', `attach ${guest} 3-5`);
      await ground.pvusb(`detach ${guest} 5 2`);
      await ground.pvusb(`controller remove ${guest} 5`);
    },
  },
  {
    sentence: 'devices of every kind are lent together, and come back together when their controllers go',
    run: async (ground) => {
      await ground.lab.plug('card');
      for (const { name } of DEVICES) await ground.pvusb(`attach ${ground.guest} ${name}`);
      const lent = (await ground.lent()).map(({ busid }) => busid);
      assert.deepEqual(lent.sort(), DEVICES.map(({ busid }) => busid).sort());
      await ground.sees('QEMU USB Keyboard', true);
      for (const { busid } of DEVICES.slice(0, 2)) await ground.pvusb(`detach ${busid}`);
      for (const devid of new Set((await ground.lent()).map((port) => port.devid))) {
        await ground.pvusb(`controller destroy ${ground.guest} ${devid}`);
      }
      await ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio', '3-4:1.0': 'ftdi_sio' });
      await ground.lab.unplug('card');
    },
  },
  {
    sentence: 'apply makes the guest match a file, and export prints the same again',
    run: async (ground) => {
      const { guest, lab } = ground;
      const exported = await ground.pvusb(`export ${guest}`);
      const [bus, address] = (await ground.address('4-1')).match(/\d+/g)!;
      const usbdev = `usbdev = [ "type=hostdev,hostbus=${bus},hostaddr=${address}" ]\n`;
      await lab.dom0('cat > /root/wanted.cfg', { input: `${exported}${usbdev}` });
      await ground.pvusb(`apply ${guest} /root/wanted.cfg`);
      await ground.reads('stick');
      await ground.uses('4-1');
      assert.match(
        await ground.pvusb(`export ${guest}`),
        new RegExp(`hostbus=${bus},hostaddr=${address}\\b`),
      );
      await ground.restore();
      assert.equal(await ground.pvusb(`export ${guest}`), exported);
    },
  },
];
