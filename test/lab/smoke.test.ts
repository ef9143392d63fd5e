/** The main job on a real Xen: a guest reads a file from a stick that pvusb lends to it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { progress } from '../../lab/base/progress.js';
import { installPvusb } from '../../lab/lab/product.js';
import { differences } from '../../lab/lab/state.js';
import { Ground } from './matrix/ground.js';
import { SETUPS } from './matrix/setup.js';
import { withLab } from './with-lab.js';

it('lends a stick to a guest and takes it back', () =>
  withLab({ name: 'smoke' }, async (lab) => {
    const ground = new Ground(lab, SETUPS.qusb);
    await installPvusb(lab);
    await lab.startGuest('pv2');
    const before = await lab.state();

    progress('attaching');
    assert.match(await ground.pvusb('attach pv2 4-1'), /^4-1 is attached to port 1 of controller 0 /);
    await ground.reads('stick');

    progress('detaching');
    await ground.pvusb('detach 4-1');
    await ground.sees('LAB0001', false);
    assert.deepEqual(differences(before, await lab.state()), []);
  }));
