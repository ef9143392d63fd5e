/** Golden plans: what the main operations will do, step by step with each undo. `UPDATE=1` writes them anew. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  addController,
  attachDevice,
  detachDevice,
  doctor,
  formatPlan,
  type Host,
  type Plan,
  removeController,
} from '../../../src/pvusb/index.js';
import { projectRoot } from '../../xenstored/fetch.js';
import { controllerOf, type Lab, labWith, openSimulated } from '../support/test-host.js';

const FOLDER = join(projectRoot(), 'test', 'fixtures', 'plans');
const dryRun = { dryRun: true };

type Plans = (host: Host, lab: Lab) => Promise<readonly Plan[]>;

/** On the recorded host; domain 1 has a controller of two ports, with 3-6 in the first one. */
const PLANS: Readonly<Record<string, Plans>> = {
  'add-controller': async (host) => [
    (await addController(host, { domain: 1, ports: 4, version: 1 }, dryRun)).plan,
  ],
  'attach-to-free-port': async (host) => [
    (await attachDevice(host, { domain: 1, device: '4-1' }, dryRun)).plan,
  ],
  'attach-several-interfaces': async (host) => [
    (await attachDevice(host, { domain: 1, device: '3-7', devid: 0, port: 2 }, dryRun)).plan,
  ],
  'attach-without-driver': async (host) => [
    (await attachDevice(host, { domain: 1, device: '3-8' }, dryRun)).plan,
  ],
  'attach-behind-hub-with-new-controller': async (host) => [
    (await attachDevice(host, { domain: 2, device: '3-5.1' }, dryRun)).plan,
  ],
  'detach-several-interfaces': async (host) => [(await detachDevice(host, { device: '3-6' }, dryRun)).plan],
  'detach-missing-device': async (host, lab) => {
    await lab.sim.unplug('3-6');
    return [(await detachDevice(host, { domain: 1, devid: 0, port: 1 }, dryRun)).plan];
  },
  'remove-controller-with-device': async (host) => [
    (await removeController(host, { domain: 1, devid: 0 }, dryRun)).plan,
  ],
  'destroy-controller-with-device': async (host) => [
    (await removeController(host, { domain: 1, devid: 0, destroy: true }, dryRun)).plan,
  ],
  'repair-many-things': async (host, lab) => {
    await lab.write('/local/domain/0/backend/vusb/1/0/port/1', '');
    await lab.write('/local/domain/0/backend/vusb/1/0/port/2', '4-1');
    await lab.write('/local/domain/0/backend/vusb/1/0/port/9', 'junk');
    await lab.write('/libxl/usbback/3-4/3-4@1_0/driver_path', '/sys/bus/usb/drivers/ftdi_sio');
    await lab.write('/local/domain/0/backend/vusb/2/0/state', '6');
    return (await doctor(host, { settleMs: 0 })).plans;
  },
};

for (const [name, make] of Object.entries(PLANS)) {
  test(`the plan ${name} is the one on file`, async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await lab.attach(1, '3-6');
    const plans = await make(lab.host, lab);
    const text = plans
      .map((plan) => `${formatPlan(plan, { undo: true })}on failure: ${plan.onFailure}\n`)
      .join('\n');
    const file = join(FOLDER, `${name}.txt`);
    if (process.env.UPDATE === '1') {
      await mkdir(FOLDER, { recursive: true });
      await writeFile(file, text);
    }
    assert.equal(text, await readFile(file, 'utf8'), `${file}: UPDATE=1 writes it anew`);
  });
}
