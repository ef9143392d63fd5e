import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { labWorld, publishSysfs, SimHost } from '../../src/sim/index.js';
import {
  type Binding,
  type DriverName,
  type InterfaceId,
  nodeFiles,
  openSysfs,
  Sysfs,
} from '../../src/sysfs/index.js';
import { errno, fails, MapFiles, QuickClock, recordedHost, writeTree } from './support.js';

const KEYBOARD = '3-2:1.0' as InterfaceId;
const usbhid: Binding = { interface: KEYBOARD, driver: 'usbhid' as DriverName };
const usbback: Binding = { interface: KEYBOARD, driver: 'usbback' as DriverName };

async function simulated(test: TestContext) {
  const sim = await SimHost.create(labWorld());
  test.after(() => sim.close());
  return { sim, sysfs: new Sysfs(sim.usb.files) };
}

describe('bind and unbind', () => {
  it('write the whole name, in one write, and read the link back', async () => {
    const files = new MapFiles(recordedHost());
    const long = '3-5.1:1.0' as InterfaceId;
    files.onWrite = (path) =>
      files.set(`${long}/driver`, path.endsWith('unbind') ? undefined : '-> ../drivers/usbhid');
    const sysfs = new Sysfs(files, new QuickClock());
    await sysfs.unbind({ interface: long, driver: usbhid.driver });
    await sysfs.bind({ interface: long, driver: usbhid.driver });
    assert.deepEqual(files.writes, [
      'bus/usb/drivers/usbhid/unbind 3-5.1:1.0',
      'bus/usb/drivers/usbhid/bind 3-5.1:1.0',
    ]);
  });

  it('move an interface of the simulated kernel, and succeed when there is nothing to do', async (test) => {
    const { sim, sysfs } = await simulated(test);
    await sysfs.bind(usbhid);
    assert.deepEqual(await sysfs.stateOf(KEYBOARD), { present: true, driver: 'usbhid' });
    await sysfs.unbind(usbhid);
    await sysfs.unbind(usbhid);
    assert.deepEqual(await sysfs.stateOf(KEYBOARD), { present: true, driver: undefined });
    await sysfs.bind(usbhid);
    assert.equal(sim.usb.driverOf(KEYBOARD), 'usbhid');
  });

  it('leave an interface alone that another driver has: EBUSY', async (test) => {
    const { sim, sysfs } = await simulated(test);
    await assert.rejects(sysfs.bind(usbback), fails('EBUSY', 'bind'));
    await assert.rejects(sysfs.unbind(usbback), fails('EBUSY', 'unbind'));
    assert.equal(sim.usb.driverOf(KEYBOARD), 'usbhid');
  });

  it('say ENODEV for what is gone, but an unbind of it succeeds', async (test) => {
    const { sim, sysfs } = await simulated(test);
    await sim.unplug('3-2');
    await assert.rejects(sysfs.bind(usbhid), fails('ENODEV', 'bind'));
    await sysfs.unbind(usbhid);
    assert.deepEqual(await sysfs.stateOf(KEYBOARD), { present: false, driver: undefined });
    await assert.rejects(
      sysfs.bind({ ...usbhid, driver: 'nodriver' as DriverName }),
      fails('ENOENT', 'bind'),
    );
  });

  it('pass on what the kernel answers', async (test) => {
    const { sim, sysfs } = await simulated(test);
    sim.usb.failUnbind(usbhid, 'EIO', 1);
    await assert.rejects(sysfs.unbind(usbhid), fails('EIO', 'unbind'));
    await sysfs.unbind(usbhid);
    sim.usb.failBind(usbhid, 'ENOMEM', 1);
    await assert.rejects(sysfs.bind(usbhid), fails('ENOMEM', 'bind'));
  });

  it('without permission to write say EACCES, even when there is another driver', async () => {
    const files = new MapFiles(recordedHost());
    files.onWrite = () => {
      throw errno('EACCES');
    };
    const sysfs = new Sysfs(files, new QuickClock());
    await assert.rejects(sysfs.bind(usbback), fails('EACCES', 'bind'));
    await assert.rejects(sysfs.unbind(usbhid), fails('EACCES', 'unbind'));
    await assert.rejects(sysfs.unbind(usbback), fails('EACCES', 'unbind'));
    await assert.rejects(sysfs.probe(KEYBOARD), fails('EACCES', 'probe'));
  });

  it('that the kernel accepts without doing them are not-verified after 2 seconds', async () => {
    const clock = new QuickClock();
    const sysfs = new Sysfs(new MapFiles(recordedHost()), clock);
    await assert.rejects(sysfs.unbind(usbhid), fails('not-verified', 'unbind'));
    assert.equal(clock.waitedMs, 2000);
    await assert.rejects(sysfs.bind(usbback), /is on usbhid$/);
  });

  it('can be aborted before they begin, and while they wait', async () => {
    const clock = new QuickClock();
    const files = new MapFiles(recordedHost());
    const sysfs = new Sysfs(files, clock);
    const giveUp = new AbortController();
    clock.onSleep = () => giveUp.abort(new Error('given up'));
    await assert.rejects(sysfs.unbind(usbhid, giveUp), /given up/);
    assert.equal(files.writes.length, 1);
    for (const call of [
      sysfs.bind(usbhid, giveUp),
      sysfs.unbind(usbhid, giveUp),
      sysfs.probe(KEYBOARD, giveUp),
      sysfs.stateOf(KEYBOARD, giveUp),
      sysfs.hasDriver(usbhid.driver, giveUp),
    ]) {
      await assert.rejects(call, /given up/);
    }
    assert.equal(files.writes.length, 1);
  });
});

describe('a probe', () => {
  it('returns the driver that the kernel found', async (test) => {
    const { sysfs } = await simulated(test);
    await sysfs.unbind(usbhid);
    assert.equal(await sysfs.probe(KEYBOARD), 'usbhid');
    await assert.rejects(sysfs.probe('9-9:1.0' as InterfaceId), fails('ENODEV', 'probe'));
  });

  it('looks for up to 200 ms, no longer than it needs', async () => {
    const files = new MapFiles(recordedHost());
    const clock = new QuickClock();
    const sysfs = new Sysfs(files, clock);
    assert.equal(await sysfs.probe('3-8:1.0' as InterfaceId), undefined);
    assert.equal(clock.waitedMs, 200);
    clock.waitedMs = 0;
    clock.onSleep = () => {
      if (clock.waitedMs > 20) files.set('3-8:1.0/driver', '-> ../drivers/late');
    };
    assert.equal(await sysfs.probe('3-8:1.0' as InterfaceId), 'late');
    assert.ok(clock.waitedMs < 50);
    clock.waitedMs = 0;
    assert.equal(await sysfs.probe(KEYBOARD), 'usbhid');
    assert.equal(clock.waitedMs, 0);
  });
});

describe('a driver', () => {
  it('is known by its folder', async (test) => {
    const { sysfs } = await simulated(test);
    assert.equal(await sysfs.hasDriver('usbhid' as DriverName), true);
    assert.equal(await sysfs.hasDriver('nodriver' as DriverName), false);
    const files = new MapFiles();
    files.list = async () => Promise.reject(errno('EACCES'));
    await assert.rejects(new Sysfs(files).hasDriver('usbhid' as DriverName), fails('EACCES', 'read'));
  });
});

describe('on published files', () => {
  it('a device changes drivers as on a real host', async (test) => {
    const root = writeTree(test, {});
    const sim = await SimHost.create(labWorld());
    const published = await publishSysfs(sim.usb, root);
    const sysfs = openSysfs(`${root}/sys`);
    await sysfs.unbind(usbhid);
    assert.equal(sim.usb.driverOf(KEYBOARD), undefined);
    assert.equal(await sysfs.probe(KEYBOARD), 'usbhid');
    await sysfs.unbind(usbhid);
    await sysfs.bind(usbhid);
    assert.equal(sim.usb.driverOf(KEYBOARD), 'usbhid');
    await sim.unplug('3-2');
    await sysfs.unbind(usbhid);
    await assert.rejects(
      sysfs.bind({ ...usbhid, driver: 'nodriver' as DriverName }),
      fails('ENOENT', 'bind'),
    );
    await published.close();
    await sim.close();
    // A tree whose simulation has died: nobody reads the pipes, and nothing waits for that.
    await assert.rejects(nodeFiles(root).writeText('sys/none', 'x'), { code: 'ENOENT' });
  });
});
