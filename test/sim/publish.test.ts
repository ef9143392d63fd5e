import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { type KernelChange, labWorld, publishStore, publishSysfs, SimHost } from '../../src/sim/index.js';
import { FifoError, makeFifos, splitNames } from '../../src/sim/publish/fifo.js';
import { Decoder, encodeMessage, MessageType } from '../../src/xenstore/wire.js';

const run = promisify(execFile);

function folder(test: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-publish-'));
  test.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Resolves at the next change of a kind. */
function next(host: SimHost, kind: KernelChange['kind'], count = 1): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const stop = host.usb.onChange((change) => {
      if (change.kind !== kind || --left > 0) return;
      stop();
      resolve();
    });
  });
}

describe('a published host', () => {
  it('can be driven by a shell through its files', async (test) => {
    const dir = folder(test);
    const host = await SimHost.create(labWorld());
    const published = await publishSysfs(host.usb, dir);
    const usb = join(dir, 'sys/bus/usb');
    const driver = join(usb, 'devices/3-2:1.0/driver');
    const shell = (script: string) => run('sh', ['-c', script], { cwd: usb });
    assert.equal(readFileSync(join(usb, 'devices/3-2/product'), 'utf8'), 'QEMU USB Keyboard\n');
    assert.equal(readlinkSync(driver), '../../drivers/usbhid');
    assert.equal(realpathSync(driver), realpathSync(join(usb, 'drivers/usbhid')));
    assert.equal(existsSync(join(usb, 'devices/3-8:1.0/driver')), false);
    assert.ok(existsSync(join(usb, 'drivers/usbback/bind')));

    let done = next(host, 'unbind');
    await shell('echo 3-2:1.0 > devices/3-2:1.0/driver/unbind');
    await done;
    assert.equal(existsSync(driver), false);
    assert.deepEqual(readdirSync(join(usb, 'drivers/usbhid')).sort(), [
      '2-1:1.0',
      '3-3:1.0',
      '3-5.1:1.0',
      'bind',
      'unbind',
    ]);

    done = next(host, 'bind');
    await shell('printf 3-2:1.0 > drivers/usbhid/bind');
    await done;
    assert.equal(readlinkSync(driver), '../../drivers/usbhid');

    done = next(host, 'unbind', 2);
    await shell('{ printf 3-2:1.0; printf 3-3:1.0; } > drivers/usbhid/unbind');
    await done;
    done = next(host, 'bind', 2);
    await shell('echo 9-9:1.0 > drivers_probe; echo 3-2:1.0 > drivers_probe; echo 3-3:1.0 > drivers_probe');
    await done;
    assert.equal(readlinkSync(driver), '../../drivers/usbhid');

    await host.unplug('3-5');
    assert.equal(existsSync(join(usb, 'devices/3-5.1')), false);
    assert.equal(existsSync(join(usb, 'devices/3-5.1:1.0')), false);
    assert.equal(existsSync(join(usb, 'drivers/usbhid/3-5.1:1.0')), false);
    await host.unloadUsbback();
    assert.equal(existsSync(join(usb, 'drivers/usbback')), false);
    await host.loadUsbback();
    assert.ok(existsSync(join(usb, 'drivers/usbback/unbind')));

    await published.close();
    assert.deepEqual(readdirSync(dir), []);
    await host.close();
  });

  it('serves its store on a socket', async (test) => {
    const path = join(folder(test), 'xenstored.sock');
    const host = await SimHost.create(labWorld());
    const published = await publishStore(host.store, path);
    const socket = connect(path);
    const reply = new Promise<string>((resolve) => {
      const decoder = new Decoder();
      socket.on('data', (chunk) =>
        decoder.push(chunk, (_type, _id, _transaction, payload) => resolve(payload.toString())),
      );
    });
    const payload = Buffer.from('/local/domain/1/name\0');
    const request = encodeMessage({ type: MessageType.read, requestId: 1, transactionId: 0, payload });
    for (const byte of request) socket.write(Buffer.of(byte));
    assert.equal(await reply, 'u1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await published.close();
    await closed;
    assert.equal(existsSync(path), false);
    assert.equal(host.store.openConnections, 0);
    await host.close();
  });

  it('makes its pipes wherever mkfifo is, or says that there is none, or why it cannot', (test) => {
    const dir = folder(test);
    const nowhere = '/nonexistent/mkfifo';
    makeFifos([join(dir, 'a')], [nowhere, 'mkfifo']);
    assert.deepEqual(readdirSync(dir), ['a']);
    const why = (path: string, programs?: readonly string[]): string => {
      try {
        makeFifos([path], programs);
      } catch (error) {
        assert.ok(error instanceof FifoError);
        return error.message;
      }
      throw new Error('it was made');
    };
    assert.equal(why(join(dir, 'b'), [nowhere]), 'Named pipes cannot be made: there is no program mkfifo.');
    assert.match(why(join(dir, 'a')), /^Named pipes cannot be made: mkfifo: .*exists\.$/);
  });

  it('splits joined writes into names', () => {
    const known = ['3-2', '3-2:1.0', '3-2:1.01', '1-1:1.0'];
    assert.deepEqual(splitNames('3-2:1.0\n1-1:1.0', known), ['3-2:1.0', '1-1:1.0']);
    assert.deepEqual(splitNames('3-2:1.01-1:1.0', known), ['3-2:1.0', '1-1:1.0']);
    assert.deepEqual(splitNames('3-2:1.011-1:1.0', known), ['3-2:1.01', '1-1:1.0']);
    assert.deepEqual(splitNames('zz3-2\n', known), ['zz3-2']);
    assert.deepEqual(splitNames('\n', known), []);
  });
});
