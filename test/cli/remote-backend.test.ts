/** `pvusb --host` of a host where pvusb itself serves guests: what its backend says of a port arrives, too. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { labWorld } from '../../src/sim/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { controllerOf } from '../core/support/test-host.js';
import { announceBackend } from './announced.js';
import { serve } from './served.js';
import { openStage, runPvusb } from './stage.js';

const STATES = '/local/domain/0/backend/vusb/1/0/port-state';

describe('pvusb --host, where pvusb itself serves', () => {
  it('shows what the guest has made of a device', async () => {
    await using stage = await openStage({ ...labWorld(), usbback: false });
    const ends = { backendState: 4, frontendState: 4 };
    await stage.sim.addController(
      controllerOf({ domid: 1, devid: 0, ...ends, ports: new Map([[1, '4-1']]) }),
    );
    const dom0 = new XenstoreClient(stage.sim.store.connect(0));
    await announceBackend(stage, dom0);
    await stage.sim.usb.disconnect('4-1:1.0');
    await stage.sim.usb.claim('4-1:1.0');
    await using served = await serve(stage);

    const shown: string[] = [];
    for (const state of ['2', '4', '6']) {
      await dom0.write(`${STATES}/1`, state);
      const { stdout, stderr } = await runPvusb(['--host', served.host, 'list', 'u1']);
      assert.equal(stdout, await stage.done('list', 'u1'), stderr);
      shown.push(
        stdout
          .split('\n')
          .find((line) => line.includes(' 4-1 '))!
          .trim(),
      );
    }
    assert.match(shown[0]!, /^port 1 +4-1 +WAITING for the guest: /);
    assert.match(shown[1]!, /^port 1 +4-1 +46f4:0001 /);
    assert.match(shown[2]!, /^port 1 +4-1 +NOT TAKEN by the pvusb backend/);
    const { stdout } = await runPvusb(['--host', served.host, 'inventory', '--json']);
    const { backend } = JSON.parse(stdout) as { readonly backend?: unknown };
    assert.deepEqual(backend, { ports: [{ domid: 1, devid: 0, port: 1, state: 6 }] });
    dom0.close();
  });
});
