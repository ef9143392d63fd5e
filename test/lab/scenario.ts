/** What a daemon with rules has to live through. */
import assert from 'node:assert/strict';
import { rebootLab } from '../../lab/lab/start.js';
import type { Ground } from './matrix/ground.js';
import type { Services } from './services.js';

/** Plugs and pulls, `xl rename`, kill -9 of the daemon, a quiesced guest, reboots of the guest and of the host. */
export async function playScenario(ground: Ground, services: Services): Promise<void> {
  try {
    await play(ground, services);
  } catch (error) {
    throw new Error(`the daemon said:\n${await services.said(ground)}`, { cause: error });
  }
}

async function play(ground: Ground, services: Services): Promise<void> {
  const { lab, setup } = ground;
  const { guest } = setup;
  if (setup.server === 'pvusb') await services.startBackend(ground);
  await services.startDaemon(ground);
  await lab.startGuest(guest);
  await ground.pvusb(`assign ${guest} 46f4:0001:LAB0001`);
  // The rule is carried out as soon as it is there.
  await ground.reads('stick');
  await ground.uses('4-1');

  await lab.unplug('stick');
  await ground.sees('LAB0001', false);
  await ground.uses();
  await lab.plug('stick');
  await ground.reads('stick');

  await playRename(ground);

  await lab.rebootGuest(guest);
  await ground.reads('stick');
  await ground.uses('4-1');

  await services.killDaemon(ground);
  await lab.unplug('stick');
  await services.startDaemon(ground);
  await ground.uses();
  await lab.plug('stick');
  await ground.reads('stick');

  const token = (await ground.pvusb(`quiesce --controllers ${guest}`)).trim();
  await ground.drivers({ '4-1:1.0': 'usb-storage' });
  await lab.dom0(`xl save ${guest} /root/${guest}.save && xl restore /root/${guest}.save`);
  // What xl saves has no USB controllers: it starts no QEMU for a guest that it restores.
  if (setup.type === 'qusb') await ground.pvusb(`qemu start ${guest}`);
  await ground.uses();
  await ground.pvusb(`restore ${token}`);
  await ground.reads('stick');
  await ground.uses('4-1');

  await rebootLab(lab);
  if (setup.server === 'pvusb') await services.startBackend(ground);
  await services.startDaemon(ground);
  await lab.startGuest(guest);
  await ground.reads('stick');
  await ground.uses('4-1');

  const shown = await ground.pvusb('audit show');
  assert.match(shown, /assigns 4-1/);
  await ground.pvusb('audit verify');
}

/** A rule is for the guest that has the name now; one that is renamed keeps what it has until that is pulled out. */
async function playRename(ground: Ground): Promise<void> {
  const { lab, guest } = ground;
  const ask = (words: string) => ground.pvusb(`--host unix:/run/pvusb/api.sock ${words}`);
  await ground.xl(`rename ${guest} renamed`);
  await ground.eventually('the daemon knows the new name', async () => {
    assert.match(await ask('list'), /^Domain \d+, "renamed"/m);
  });
  assert.match(await ask('list renamed'), /port 1 +4-1 /);
  assert.doesNotMatch(await ask('assignments'), / present /);

  await lab.unplug('stick');
  await ground.eventually('the port is free', async () => {
    assert.doesNotMatch(await ask('list renamed'), / 4-1 /);
  });
  await lab.plug('stick');
  await ground.eventually('the daemon sees the stick', async () => {
    assert.match(await ask('assignments'), / pending +4-1 /);
  });
  await ground.drivers({ '4-1:1.0': 'usb-storage' });

  await ground.xl(`rename renamed ${guest}`);
  await ground.reads('stick');
  await ground.uses('4-1');
}
