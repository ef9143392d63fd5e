/** What the kernel says about devices. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { openUdevadm } from '../../src/sysfs/udevadm.js';
import { parseUevent } from '../../src/sysfs/uevent.js';

const bytesOf = (text: string): Uint8Array => Buffer.from(text.replaceAll('|', '\0'), 'latin1');

describe('an event of the kernel', () => {
  it('says what has happened to which device or interface', () => {
    const text =
      'bind@/devices/x/usb3/3-1/3-1:1.0|ACTION=bind|DEVPATH=/devices/x/usb3/3-1/3-1:1.0|SUBSYSTEM=usb|SEQNUM=7|';
    assert.deepEqual(parseUevent(bytesOf(text)), { action: 'bind', name: '3-1:1.0' });
  });

  it("is none if it is about something else, or udevd's", () => {
    assert.equal(
      parseUevent(bytesOf('add@/devices/x|ACTION=add|DEVPATH=/devices/x|SUBSYSTEM=net|')),
      undefined,
    );
    assert.equal(parseUevent(bytesOf('libudev|ACTION=add|DEVPATH=/devices/3-1|SUBSYSTEM=usb|')), undefined);
    assert.equal(parseUevent(new Uint8Array()), undefined);
  });

  it('is read whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const event = parseUevent(bytes);
        assert.ok(event === undefined || (event.name !== '' && event.action !== ''));
      }),
    );
  });
});

describe('udevadm monitor', () => {
  it('is read line by line; when it ends, that is known', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'pvusb-udevadm-'));
    const before = process.env.PATH;
    t.after(() => {
      process.env.PATH = before;
      rmSync(folder, { recursive: true });
    });
    const lines = [
      'monitor will print the received events for:',
      'KERNEL - the kernel uevent',
      '',
      'KERNEL[1.2] add      /devices/x/usb3/3-1 (usb)',
      'ACTION=add',
      'DEVPATH=/devices/x/usb3/3-1',
      '',
    ];
    writeFileSync(join(folder, 'udevadm'), `#!/bin/sh\ncat <<'END'\n${lines.join('\n')}\nEND\nread line\n`);
    chmodSync(join(folder, 'udevadm'), 0o755);
    process.env.PATH = `${folder}:${before}`;
    const plugs = await openUdevadm();
    assert.ok(plugs);
    assert.deepEqual((await plugs.next()).value, ['3-1']);
    // Standard input is empty: it ends.
    assert.deepEqual((await plugs.next()).value, []);
    assert.equal(plugs.isComplete, false);
    await plugs.close();
  });
});
