/** Runs the defects of xl: once with xl, which shows them, once with pvusb, which does not have them. */
import { after, before, describe, it } from 'node:test';
import type { GuestName, Lab } from '../../../lab/lab/lab.js';
import { Ground } from '../matrix/ground.js';
import { SETUPS, type Setup } from '../matrix/setup.js';
import { CasesLab } from '../with-lab.js';

/** One defect; the number is the one in its test without a lab (test/core/trouble/defects.test.ts). */
export interface Defect {
  readonly row: number;
  readonly setup: Setup;
  /** What xl does. */
  readonly theirs: string;
  /** What pvusb does. */
  readonly ours: string;
  /** Settings of the guest, in xl's form: `usbctrl=[...]`. */
  settings?(ground: Ground): Promise<readonly string[]>;
  /** usbback is loaded. */
  readonly hasUsbback?: boolean;
  /** Fails unless xl has the defect. */
  withXl(ground: Ground): Promise<void>;
  /** Fails if pvusb has it; what xl left behind is fixed first. */
  withPvusb(ground: Ground): Promise<void>;
}

/** Registers the defects, which run in one lab: each on a fresh guest, twice. */
export function playDefects(title: string, setup: keyof typeof SETUPS, defects: readonly Defect[]): void {
  describe(title, { concurrency: 1 }, () => {
    let cases: CasesLab;
    before(async () => {
      cases = await CasesLab.start({ name: `defects-${setup}`, warm: 'base', ...SETUPS[setup].machine });
    });
    after(() => cases?.stop());
    for (const defect of defects) {
      const { row, theirs, ours } = defect;
      for (const [sentence, act] of [
        [`${row}: xl ${theirs}`, defect.withXl],
        [`${row}: pvusb ${ours}`, defect.withPvusb],
      ] as const) {
        it(sentence, () => cases.play((lab) => playOne(lab, defect, act)));
      }
    }
  });
}

async function playOne(lab: Lab, defect: Defect, act: (ground: Ground) => Promise<void>): Promise<void> {
  const { setup, hasUsbback = false } = defect;
  const ground = new Ground(lab, setup);
  await lab.dom0(hasUsbback ? 'modprobe usbback' : 'rmmod usbback 2> /dev/null || true');
  await lab.startGuest(setup.guest as GuestName, ...((await defect.settings?.(ground)) ?? []));
  await act.call(defect, ground);
  // xl may have lost the guest.
  await lab.dom0(`xl destroy ${setup.guest}`, { mayFail: true });
  await ground.mend();
}
