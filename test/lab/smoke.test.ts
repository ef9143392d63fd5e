/** The main job on a real Xen: a guest reads a file from a stick that pvusb lends to it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { stickMd5 } from '../../lab/media.js';
import { installPvusb } from '../../lab/product.js';
import { progress } from '../../lab/progress.js';
import { differences } from '../../lab/state.js';
import { withLab } from './with-lab.js';

it('lends a stick to a guest and takes it back', () =>
  withLab({ name: 'smoke' }, async (lab) => {
    await installPvusb(lab);
    await lab.startGuest('pv2');
    const before = await lab.state();

    progress('attaching');
    const attached = await lab.dom0('pvusb attach pv2 4-1');
    assert.match(attached.stdout, /^4-1 is attached to port 1 of controller 0 /);
    const read = await lab.guest('pv2', 'stick-md5 LAB0001 data.bin');
    assert.equal(read.stdout.trim(), stickMd5('stick'));

    progress('detaching');
    await lab.dom0('pvusb detach 4-1');
    const { stdout: left } = await lab.guest('pv2', 'usb-list');
    assert.doesNotMatch(left, /LAB0001/);
    assert.deepEqual(differences(before, await lab.state()), []);
  }));
