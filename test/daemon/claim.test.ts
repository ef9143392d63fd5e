/** Claims by what is known of the host: nobody before us is overlooked, whoever it was. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { attachDevice, type PvusbError } from '../../src/pvusb/index.js';
import { shortWorld } from '../../src/sim/index.js';
import { overtaken } from '../core/support/overtaken.js';
import { openSimulated } from '../core/support/test-host.js';
import { ROOT, Running } from './running.js';

const world = shortWorld({
  usbback: true,
  devices: [{ busid: '1-1', id: '0627:0001', serial: 'S1', interfaces: ['03/01/01'] }],
  domains: [{ domid: 1 }, { domid: 2 }],
  controllers: [1, 2].map((domid) => ({ domid, devid: 0, ports: 2 })),
});
const THEIRS = '/local/domain/0/backend/vusb/2/0/port/2';
const asked = { what: 'attach', by: ROOT, request: {} };

/** Has the daemon lend a device that another program lends meanwhile, which is refused: the steps until then. */
async function refused({ daemon }: Running, act: () => Promise<void>): Promise<string[]> {
  const steps: string[] = [];
  await assert.rejects(
    daemon.operate(asked, (host, options) =>
      attachDevice(
        overtaken(host, act),
        { domain: 1, device: '1-1' },
        { ...options, onStep: ({ step, phase }) => steps.push(`${phase}: ${step.why}`) },
      ),
    ),
    (error: PvusbError) => error.code === 'already-attached',
  );
  return steps;
}

describe('a claim by what the daemon knows', () => {
  test('that xl has overtaken is taken back: xl writes another port, which makes no transaction start again', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    await running.ready();
    const steps = await refused(running, () => lab.write(THEIRS, '1-1'));
    assert.ok(
      steps.some((step) => step.startsWith('undo: claim port 1')),
      steps.join('\n'),
    );
    assert.equal(await lab.read('/local/domain/0/backend/vusb/1/0/port/1'), '');
    assert.equal(await lab.read(THEIRS), '1-1');
  });

  test('that another pvusb has overtaken starts again, and is refused before anything is written', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    await running.ready();
    const steps = await refused(running, async () => {
      await attachDevice(lab.host, { domain: 2, device: '1-1' }, { watchMs: 0 });
    });
    assert.ok(!steps.some((step) => step.startsWith('undo')), steps.join('\n'));
    await lab.assertSound();
  });
});
