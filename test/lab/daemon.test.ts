/** The daemon on a real Xen: rules, reboots of guest and host, quiesced guests, commands through it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { installPvusb } from '../../lab/lab/product.js';
import { chosenRelease, rebootLab } from '../../lab/lab/start.js';
import { Ground } from './matrix/ground.js';
import { isPossible, SETUPS } from './matrix/setup.js';
import { withLab } from './with-lab.js';

const LOG = '/var/log/pvusb-serve.log';

/** Starts the daemon, and waits until it answers. */
async function startDaemon(ground: Ground): Promise<void> {
  await ground.lab.dom0(`(setsid pvusb serve >> ${LOG} 2>&1 < /dev/null &)`);
  await ground.eventually('the daemon answers', async () => {
    await ground.pvusb('--host unix:/run/pvusb/api.sock list');
  });
}

/** All that rules have to live through, one after the other. */
async function playScenario(ground: Ground): Promise<void> {
  const { lab, setup } = ground;
  const { guest } = setup;
  if (setup.server === 'pvusb') await ground.startBackend();
  await startDaemon(ground);
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

  await lab.rebootGuest(guest);
  await ground.reads('stick');
  await ground.uses('4-1');

  await lab.dom0('pkill -9 -f "[p]vusb serve"');
  await lab.unplug('stick');
  await startDaemon(ground);
  await ground.uses();
  await lab.plug('stick');
  await ground.reads('stick');

  const token = (await ground.pvusb(`quiesce --controllers ${guest}`)).trim();
  await ground.drivers({ '4-1:1.0': 'usb-storage' });
  // What xl saves has no USB controllers: it starts no QEMU for a guest that it restores.
  if (setup.type !== 'qusb')
    await lab.dom0(`xl save ${guest} /root/${guest}.save && xl restore /root/${guest}.save`);
  await ground.uses();
  await ground.pvusb(`restore ${token}`);
  await ground.reads('stick');
  await ground.uses('4-1');

  await rebootLab(lab);
  if (setup.server === 'pvusb') await ground.startBackend();
  await startDaemon(ground);
  await lab.startGuest(guest);
  await ground.reads('stick');
  await ground.uses('4-1');

  const shown = await ground.pvusb('audit show');
  assert.match(shown, /assigns 4-1/);
  await ground.pvusb('audit verify');
}

for (const setup of [SETUPS.backend, SETUPS.qusb].filter((one) => isPossible(one, chosenRelease()))) {
  it(`gives a guest what rules say, through plugs, reboots and quiescing: ${setup.title}`, () =>
    withLab({ name: `daemon-${setup.name}`, warm: 'base' }, async (lab) => {
      await installPvusb(lab);
      try {
        await playScenario(new Ground(lab, setup));
      } catch (error) {
        const { stdout } = await lab.dom0(`cat ${LOG}`, { mayFail: true });
        throw new Error(`the daemon said:\n${stdout}`, { cause: error });
      }
    }));
}
