/** The names of virtual devices, which are typed where those of devices of the host are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addController,
  attachVirtual,
  describeFinding,
  detachDevice,
  doctor,
  findDevice,
  isMeantAsVirtual,
  isServed,
  listControllers,
  observe,
  parseVirtualName,
} from '../../src/pvusb/index.js';
import { recordedVirtualName } from '../../src/pvusb/model/virtual.js';
import { operated } from './stage.js';

describe('the name of a virtual device', () => {
  it('is none of any other device', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const inventory = await observe(host);
    for (const text of ['keyboard', 'source-sink', 'stick:/a b', 'read-only-stick:/srv/x,y:z.img']) {
      assert.equal(parseVirtualName(text), text);
      assert.throws(() => findDevice(inventory, text), { code: 'invalid-argument' });
    }
    for (const { busid, vendorId, productId, bus, address } of inventory.devices)
      for (const text of [busid, `${vendorId}:${productId}`, `${bus}.${address}`])
        assert.equal(isMeantAsVirtual(text), false, text);
    assert.ok(inventory.controllers.every(isServed));
  });

  it('is an absolute path without control characters, or a word', () => {
    for (const text of [
      'stick',
      'stick:',
      'stick:a',
      'Stick:/a',
      'stick:/a\nb',
      'stick:/\ud800',
      'keyboards',
      '',
    ])
      assert.equal(parseVirtualName(text), undefined, JSON.stringify(text));
    assert.equal(parseVirtualName(`stick:/${'a'.repeat(1024)}`), undefined);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const name = parseVirtualName(text);
        return name === undefined || (isMeantAsVirtual(text) && !/\p{Cc}/u.test(name));
      }),
    );
  });

  it('of another version is text that can be printed', () => {
    assert.equal(recordedVirtualName('webcam:/dev/video0'), 'webcam:/dev/video0');
    for (const text of [undefined, '', 'webcam:\x1b[31m', 'webcam:/a\nb', 'x'.repeat(1025)])
      assert.equal(recordedVirtualName(text), undefined);
  });

  it('that only another version knows keeps its port until it is detached', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await addController(host, { domain: 'u1', type: 'pv', ports: 2 });
    await host.xenstore.write('/libxl/1/device/vusb/0/virtual/1', 'webcam:/dev/video0');
    await host.xenstore.write('/local/domain/0/backend/vusb/1/0/port/1', '');
    await served.settle();
    const device = parseVirtualName('keyboard')!;
    const { result } = await attachVirtual(host, { domain: 'u1', devid: 0, device });
    assert.deepEqual([result.devid, result.port], [0, 2]);
    assert.deepEqual(
      (await doctor(host, { settleMs: 0 })).findings.map((finding) => describeFinding(finding)),
      [
        'Port 1 of controller 0 of domain 1 holds webcam:/dev/video0, but the pvusb backend has not opened it; see its log.',
      ],
    );
    await detachDevice(host, { domain: 'u1', devid: 0, port: 1 });
    const [controller] = await listControllers(host, { domain: 'u1' });
    assert.deepEqual(controller?.ports, [{ port: 1 }, { port: 2, virtual: device }]);
  });
});
