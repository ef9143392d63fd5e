import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  ActiveConfiguration,
  bosAtHighSpeed,
  configurationAtHighSpeed,
  deviceAtHighSpeed,
  parseConfiguration,
  parseDescriptors,
  walk,
} from '../../src/usb/index.js';

/** A SuperSpeed stick: one bulk-only interface, and a second setting whose interrupt endpoint bursts. */
function stick(burst: number): { device: Buffer; configuration: Buffer } {
  const device = Buffer.from([18, 1, 0, 3, 0, 0, 0, 9, 0xf4, 0x46, 1, 0, 0, 0, 1, 2, 3, 1]);
  const configuration = Buffer.from([
    ...[9, 2, 0, 0, 1, 1, 0, 0x80, 50],
    ...[9, 4, 0, 0, 2, 8, 6, 0x50, 0],
    ...[7, 5, 0x81, 2, 0, 4, 0, 6, 0x30, 15, 0, 0, 0],
    ...[7, 5, 0x02, 2, 0, 4, 0, 6, 0x30, 15, 0, 0, 0],
    ...[9, 4, 0, 1, 1, 8, 6, 0x50, 0],
    ...[7, 5, 0x83, 3, 0, 4, 1, 6, 0x30, burst, 0, 0, 0],
  ]);
  configuration.writeUInt16LE(configuration.length, 2);
  return { device, configuration };
}

describe('descriptors', () => {
  it('of any bytes are parsed within them', () => {
    const anyBytes = fc.uint8Array({ maxLength: 300 });
    const likely = fc.tuple(anyBytes, fc.nat(90)).map(([noise, at]) => {
      const { device, configuration } = stick(2);
      const bytes = Buffer.concat([device, configuration, noise]);
      bytes.set(noise.subarray(0, 3), Math.min(at, bytes.length - 3));
      return new Uint8Array(bytes);
    });
    fc.assert(
      fc.property(fc.oneof(anyBytes, likely), (bytes) => {
        const parsed = parseDescriptors(bytes);
        for (const { bytes: own, settings } of parsed?.configurations ?? []) {
          assert.ok(own.length <= bytes.length);
          const addresses = settings.map(({ endpoints }) => endpoints.map(({ address }) => address));
          for (const list of addresses) assert.equal(new Set(list).size, list.length);
          const edited = configurationAtHighSpeed(own);
          assert.equal(
            [...walk(edited)].some(({ type }) => type === 0x30),
            false,
          );
        }
        bosAtHighSpeed(bytes);
        let size = 0;
        for (const { bytes: one } of walk(bytes)) size += one.length;
        assert.ok(size <= bytes.length);
      }),
    );
  });

  it('of a SuperSpeed stick are those of a high-speed one', () => {
    const { device, configuration } = stick(2);
    const edited = deviceAtHighSpeed(device);
    assert.deepEqual([edited[2], edited[3], edited[7]], [0x10, 2, 64]);
    const shown = parseConfiguration(configurationAtHighSpeed(configuration));
    assert.equal(shown.bytes.length, 9 + 9 + 7 + 7 + 9 + 7);
    assert.equal(shown.bytes[2]! | (shown.bytes[3]! << 8), shown.bytes.length);
    assert.equal(shown.bytes[8], 200, 'the same power in units of 2 mA');
    assert.deepEqual(
      shown.settings.map(({ endpoints }) => endpoints.map(({ packetBytes }) => packetBytes)),
      [[1024, 1024], [1024]],
    );
    assert.equal(shown.bytes.at(-2)! >> 3, 2, 'three packets in a microframe');
    assert.equal(configuration[8], 50, 'the original is left alone');
  });

  it('hide a setting that high speed cannot carry', () => {
    const shown = parseConfiguration(configurationAtHighSpeed(stick(3).configuration));
    assert.deepEqual(
      shown.settings.map(({ setting }) => setting),
      [0],
    );
  });

  it('of what a device can do leave out SuperSpeed', () => {
    const bos = Buffer.from([
      ...[5, 15, 0, 0, 3],
      ...[7, 16, 2, 6, 0, 0, 0],
      ...[10, 16, 3, 0, 14, 0, 1, 10, 0xff, 7],
      ...[4, 16, 10, 0],
    ]);
    assert.deepEqual([...bosAtHighSpeed(bos)], [5, 15, 12, 0, 1, 7, 16, 2, 6, 0, 0, 0]);
  });
});

describe('the endpoints in use', () => {
  it('follow the configuration and the settings', () => {
    const { device, configuration } = stick(2);
    const parsed = parseDescriptors(Buffer.concat([device, configuration]))!;
    const active = new ActiveConfiguration(parsed, 0);
    assert.equal(active.endpoint(0x81), undefined);
    active.configure(1);
    assert.deepEqual(active.endpoint(0x81), { address: 0x81, kind: 'bulk', packetBytes: 1024 });
    assert.equal(active.endpoint(0x83), undefined);
    active.select(0, 1);
    assert.equal(active.endpoint(0x81), undefined);
    assert.equal(active.endpoint(0x83)?.kind, 'interrupt');
    assert.equal(active.isTouched, true);
    active.select(0, 7);
    assert.deepEqual([...active.settings], [[0, 1]], 'a setting that does not exist changes nothing');
    active.configure(1);
    assert.equal(active.isTouched, false);
  });
});
