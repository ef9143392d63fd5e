/** The same actors on a store that is reached only through the wire protocol, as when they run against a real xenstored. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { controllerNodes, SimHost, SimStore, shortWorld } from '../../src/sim/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { parsePermissions } from '../../src/xenstore/permissions.js';
import { clientStore } from '../support/client-store.js';

describe('a simulated host on a client', () => {
  it('connects and lets go, and leaves nothing open', async () => {
    const store = new SimStore();
    const clients: XenstoreClient[] = [];
    const connect = (domid: number) => {
      const client = new XenstoreClient(store.connect(domid));
      clients.push(client);
      return client;
    };
    const dom0 = connect(0);
    const host = await SimHost.onStore(
      shortWorld({
        devices: [
          { busid: '3-2', id: '0627:0001', interfaces: ['03/01/01'] },
          { busid: '3-3', id: '0627:0001', interfaces: ['03/01/02'] },
        ],
        domains: [{ domid: 1 }, { domid: 2, hostile: 7 }, { domid: 3, deviceModel: true }],
        controllers: [
          { domid: 2, devid: 0, devices: { '1': '3-2' } },
          { domid: 3, devid: 0, type: 'qusb', devices: { '1': '3-3' } },
        ],
      }),
      {
        dom0: clientStore(dom0),
        guest: (domid) => clientStore(connect(domid)),
        introduce: (domid) => store.introduce(domid),
        release: (domid) => store.release(domid),
      },
    );
    assert.equal(await dom0.read('/local/domain/0/backend/vusb/2/0/state'), '4');
    const controller = {
      version: 2,
      portCount: 4,
      backendDomid: 0,
      backendState: 1,
      frontendState: 1,
      online: true,
      ports: new Map(),
    };
    const nodes = controllerNodes({ ...controller, domid: 1, devid: 3, type: 'pv' });
    await dom0.transaction(async (view) => {
      for (const [path, value, permissions] of nodes) {
        await view.write(path, value);
        await view.setPermissions(path, parsePermissions(permissions)!);
      }
    });
    await host.idle();
    const backend = '/local/domain/0/backend/vusb/1/3';
    assert.equal(await dom0.read(`${backend}/state`), '4');
    for (let deed = 0; deed < 20; deed++) await host.guests.get(2)!.mischief();
    await dom0.transaction(async (view) => {
      await view.write(`${backend}/state`, '5');
      await view.write(`${backend}/online`, '0');
    });
    await host.idle();
    assert.equal(await dom0.read(`${backend}/state`), '6');
    assert.equal(host.usb.driverOf('3-3:1.0'), 'usbfs');
    await host.addController({ ...controller, domid: 3, devid: 1, type: 'qusb' });
    await host.idle();
    assert.equal(await dom0.read('/local/domain/0/backend/qusb/3/1/state'), '4');
    for (const domid of [2, 3]) await host.killDomain(domid);
    await host.idle();
    assert.equal(host.usb.driverOf('3-2:1.0'), 'usbhid');
    assert.equal(host.usb.driverOf('3-3:1.0'), 'usbhid');
    await host.close();
    assert.equal(store.watchCount, 0);
    assert.equal(store.openTransactions, 0);
    for (const client of clients) client.close();
  });
});
