/** The main job on a real Xen: a guest reads a file from a stick that pvusb lends to it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { progress } from '../../lab/base/progress.js';
import { installPvusb } from '../../lab/lab/product.js';
import { chosenRelease } from '../../lab/lab/start.js';
import { differences } from '../../lab/lab/state.js';
import { Ground } from './matrix/ground.js';
import { NOT_OURS } from './matrix/matrix.js';
import { isPossible, SETUPS, type Setup } from './matrix/setup.js';
import { withLab } from './with-lab.js';

const WAYS = [SETUPS.backend, SETUPS.qusb].filter((setup) => isPossible(setup, chosenRelease()));

it(`lends a stick to a guest and takes it back: ${WAYS.map(({ title }) => title).join('; ')}`, () =>
  withLab({ name: 'smoke' }, async (lab) => {
    await installPvusb(lab);
    await new Ground(lab, SETUPS.backend).startBackend();
    for (const setup of WAYS) await lend(new Ground(lab, setup), setup);
  }));

async function lend(ground: Ground, { title, type, guest }: Setup): Promise<void> {
  const { lab } = ground;
  progress(title);
  await lab.startGuest(guest);
  const before = await lab.state();
  // libxl adds the other one.
  if (type === 'pv') await ground.pvusb(`controller add ${guest} --type pv`);
  await ground.seesRootHubs(1);

  progress('attaching');
  assert.match(await ground.pvusb(`attach ${guest} 4-1`), /^4-1 is attached to port 1 of controller 0 /);
  await ground.reads('stick');

  progress('detaching');
  await ground.pvusb('detach 4-1');
  await ground.sees('LAB0001', false);
  if (type === 'pv') await ground.pvusb(`controller remove ${guest} 0`);
  assert.deepEqual(differences(before, await lab.state(), NOT_OURS), []);
}
