/** The names of virtual devices, which are typed where those of devices of the host are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findDevice, isMeantAsVirtual, isServed, observe, parseVirtualName } from '../../src/pvusb/index.js';
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
});
