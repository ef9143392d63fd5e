/** The daemon on a real Xen: rules, reboots of guest and host, quiesced guests, commands through it. */
import { it } from 'node:test';
import { installPvusb } from '../../lab/lab/product.js';
import { chosenRelease } from '../../lab/lab/start.js';
import { Ground } from './matrix/ground.js';
import { isPossible, SETUPS } from './matrix/setup.js';
import { playScenario } from './scenario.js';
import { BY_HAND } from './services.js';
import { withLab } from './with-lab.js';

for (const setup of [SETUPS.backend, SETUPS.qusb].filter((one) => isPossible(one, chosenRelease()))) {
  it(`gives a guest what rules say, through plugs, reboots and quiescing: ${setup.title}`, () =>
    withLab({ name: `daemon-${setup.name}`, warm: 'base' }, async (lab) => {
      await installPvusb(lab);
      await playScenario(new Ground(lab, setup), BY_HAND);
    }));
}
