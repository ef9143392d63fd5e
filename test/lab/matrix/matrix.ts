/** Runs every case in one setup, and shows that each leaves dom0 as it found it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Dom0State, differences } from '../../../lab/lab/state.js';
import { CasesLab } from '../with-lab.js';
import { backendCases } from './cases-backend.js';
import { lifeCases } from './cases-life.js';
import { plugCases } from './cases-plug.js';
import { troubleCases } from './cases-trouble.js';
import { usbtestCases } from './cases-usbtest.js';
import { useCases } from './cases-use.js';
import { virtualCases } from './cases-virtual.js';
import { xlCases } from './cases-xl.js';
import { type Case, Ground } from './ground.js';
import type { Setup } from './setup.js';

const CASES: readonly Case[] = [
  ...useCases,
  ...plugCases,
  ...backendCases,
  ...usbtestCases,
  ...virtualCases,
  ...troubleCases,
  ...xlCases,
  ...lifeCases,
];

/**
 * What libxl increments, or leaves behind empty for the next one, what a guest writes again for a controller that is
 * recreated, and which process serves.
 */
export const NOT_OURS =
  /^\/(tool|vm|local\/domain\/\d+\/(memory|data))(\/|$)|^\/libxl\/(usbback|pvusb\/backend)$|^\/local\/domain\/0\/(backend(\/[vq]usb)?|device-model)$|\/device\/vusb\/\d+\/(urb-ring-ref|conn-ring-ref|event-channel)$/;

/** Registers the cases of a setup as tests. */
export function playMatrix(setup: Setup): void {
  describe(setup.title, { concurrency: 1 }, () => {
    let cases: CasesLab;
    /** dom0 with a running guest that no case has spoilt, and without one. */
    let withGuest: Dom0State | undefined;
    let bare: Dom0State | undefined;

    before(async () => {
      const name = `matrix-${setup.name}-${setup.machine.store}-${setup.machine.cpu}`;
      cases = await CasesLab.start({ name, warm: 'base', ...setup.machine }, async (lab) => {
        withGuest = bare = undefined;
        if (setup.server === 'usbback') await lab.dom0('modprobe usbback');
        if (setup.server === 'pvusb') await new Ground(lab, setup).startBackend();
      });
    });
    after(() => cases?.stop());

    for (const one of CASES.filter(({ only = () => true }) => only(setup))) {
      const play = one.endsGuest ? playAlone : playOnGuest;
      it(one.sentence, () => cases.play((lab) => play(new Ground(lab, setup), one)));
    }

    async function playOnGuest(ground: Ground, one: Case): Promise<void> {
      const { lab } = ground;
      if (!withGuest) {
        await lab.startGuest(setup.guest, ...(setup.settings ?? []));
        await ground.remember();
        withGuest = await lab.state();
      }
      await one.run(ground);
      await ground.restore();
      assert.deepEqual(differences(withGuest, await lab.state(), NOT_OURS), []);
    }

    async function playAlone(ground: Ground, one: Case): Promise<void> {
      const { lab } = ground;
      if (withGuest) await lab.dom0(`xl destroy ${setup.guest}`);
      withGuest = undefined;
      bare ??= await lab.state();
      await lab.startGuest(setup.guest, ...(setup.settings ?? []), ...(one.settings ?? []));
      await one.run(ground);
      assert.deepEqual(differences(bare, await lab.state(), NOT_OURS), []);
    }
  });
}
