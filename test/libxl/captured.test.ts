/** What libxl 4.17 wrote on a real host: read, written again, and changed as xl changed it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SavedConfig } from '../../src/libxl/index.js';
import { captured, capturedFiles, capturedSteps, textOf } from './support.js';

/** The controllers and devices of `after` that `before` lacks, put into it. */
function changedLike(before: SavedConfig, after: SavedConfig): SavedConfig {
  const has = (list: readonly object[], entry: object): boolean =>
    list.some((other) => JSON.stringify(other) === JSON.stringify(entry));
  let changed = before;
  for (const controller of after.controllers) {
    if (!has(before.controllers, controller)) changed = changed.withController(controller);
  }
  for (const device of after.devices) {
    if (!has(before.devices, device)) changed = changed.withDevice(device);
  }
  return changed;
}

describe('the recorded configurations', () => {
  it('come back byte for byte: as they are, with one NUL at the end, and with none', () => {
    const files = capturedFiles();
    assert.ok(files.length >= 90, `${files.length} files`);
    for (const { name, bytes } of files) {
      const end = bytes.indexOf(0);
      for (const variant of [bytes, bytes.subarray(0, end + 1), bytes.subarray(0, end)]) {
        assert.deepEqual(SavedConfig.parse(variant).toBytes(), variant, name);
      }
    }
  });

  it('say which controllers and devices there are', () => {
    const saved = SavedConfig.parse(captured('40-devicemodel/015-auto-controller-dev-attach.after'));
    assert.deepEqual(saved.controllers, [
      { devid: 0, type: 'devicemodel', version: 2, ports: 6 },
      { devid: 1, type: 'devicemodel', version: 3, ports: 4 },
      { devid: 2, type: 'devicemodel', version: 1, ports: 2 },
    ]);
    assert.deepEqual(saved.devices, [
      { ctrl: 0, port: 1, hostbus: 1, hostaddr: 2 },
      { ctrl: 0, port: 2, hostbus: 3, hostaddr: 2 },
      { ctrl: 1, port: 2, hostbus: 4, hostaddr: 2 },
      { ctrl: 2, port: 1, hostbus: 1, hostaddr: 2 },
    ]);
  });

  it('say so about fields that libxl has left out', () => {
    const saved = SavedConfig.parse(captured('23-config/001-create-with-usbdev.after'));
    assert.deepEqual(saved.controllers, [
      { devid: 0, type: 'qusb', version: 2, ports: 4 },
      { devid: 1, type: 'auto', version: 1, ports: 2 },
    ]);
    assert.deepEqual(saved.devices, [
      { ctrl: -1, port: 0 },
      { ctrl: 1, port: 2 },
    ]);
  });

  it('become what each command of xl made of them, byte for byte', () => {
    const steps = capturedSteps();
    const changing = steps.filter(({ before, after }) => !before.equals(after));
    assert.ok(changing.length >= 25, `${changing.length} steps`);
    for (const folder of ['20-qusb-b', '21-', '22-', '25-', '30-pv', '40-devicemodel']) {
      assert.ok(
        changing.some(({ name }) => name.startsWith(folder)),
        folder,
      );
    }
    for (const { name, before, after } of steps) {
      const changed = changedLike(SavedConfig.parse(before), SavedConfig.parse(after));
      assert.equal(textOf(changed), textOf(SavedConfig.parse(after)), name);
      assert.deepEqual(changed.toBytes(), after, name);
    }
  });

  it('are as before when what was added is removed again', () => {
    for (const { name, bytes } of capturedFiles()) {
      const saved = SavedConfig.parse(bytes);
      const added = saved
        .withController({ devid: 77, type: 'qusb', version: 2, ports: 8 })
        .withDevice({ ctrl: 77, port: 3, hostbus: 3, hostaddr: 9 })
        .withDevice({ ctrl: 77, port: 4, hostbus: 3, hostaddr: 10 });
      assert.equal(added.controllers.length, saved.controllers.length + 1);
      assert.equal(added.devices.length, saved.devices.length + 2);
      const back = added.withoutDevice(77, 3).withoutController(77).withoutDevice(77, 4);
      assert.equal(textOf(back), textOf(saved), name);
      assert.deepEqual(back.toBytes(), bytes, name);
    }
  });

  it('are rebuilt from nothing: all entries removed and put back in order', () => {
    for (const { name, bytes } of capturedFiles()) {
      const saved = SavedConfig.parse(bytes);
      let bare = saved;
      for (const { devid } of saved.controllers) bare = bare.withoutController(devid);
      for (const { ctrl, port } of saved.devices) bare = bare.withoutDevice(ctrl, port);
      assert.ok(!/usbctrls|usbdevs/.test(textOf(bare)), name);
      let again = bare;
      for (const controller of saved.controllers) again = again.withController(controller);
      for (const device of saved.devices) again = again.withDevice(device);
      assert.equal(textOf(again), textOf(saved), name);
      again = bare;
      for (const device of saved.devices) again = again.withDevice(device);
      for (const controller of saved.controllers) again = again.withController(controller);
      assert.equal(textOf(again), textOf(saved), `${name}, devices first`);
    }
  });
});
