import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { publishQmp, type QmpFate } from '../../src/sim/index.js';
import { deleted, generic, guest, RawQmp, stick, timeless } from './raw-qmp.js';

describe('the QMP of a simulated QEMU', () => {
  it('wants the negotiation first', async () => {
    const { host, qemu, client } = await guest();
    client.close();
    const next = new RawQmp(qemu);
    const heard = await next.ask('query-status');
    assert.deepEqual(heard[1], {
      error: { class: 'CommandNotFound', desc: "Expecting capabilities negotiation with 'qmp_capabilities'" },
    });
    await host.close();
  });

  it('serves one client at a time', async () => {
    const { host, qemu, client } = await guest();
    const second = new RawQmp(qemu);
    const third = new RawQmp(qemu);
    second.send('{"execute":"qmp_capabilities"}');
    assert.deepEqual(await second.heard(), []);
    client.close();
    assert.equal((await second.heard()).length, 2, 'the greeting, and the answer to what was sent early');
    assert.deepEqual(await third.heard(), []);
    third.close();
    second.close();
    await RawQmp.ready(qemu);
    await host.close();
  });

  it('opens a device by its address, and loses it for good when it is pulled out', async () => {
    const { host, client, driver } = await guest();
    await client.ask('device_add', { driver: 'nec-usb-xhci', id: 'xenusb-0', p2: 4, p3: 4 });
    await client.ask('device_add', { ...stick, id: 'xenusb-1-2', port: '1' });
    assert.equal(driver('1-1:1.0'), 'usbfs');
    const { address: _old, ...again } = host.usb.device('1-1')!.spec;
    await host.unplug('1-1');
    await host.plug(again);
    await host.idle();
    assert.equal(driver('1-1:1.0'), 'usb-storage');
    const get = { path: '/machine/peripheral/xenusb-1-2', property: 'attached' };
    assert.deepEqual(await client.ask('qom-get', get), [{ return: false }]);
    assert.equal((await client.ask('device_del', { id: 'xenusb-1-3' }))[0]?.error !== undefined, true);
    assert.deepEqual(
      (await client.ask('device_del', { id: 'xenusb-1-2' })).map(timeless)[1],
      deleted('xenusb-1-2'),
    );
    await host.close();
  });

  it('opens whatever is in a socket, when it was told the socket', async () => {
    const { host, client, driver } = await guest();
    await client.ask('device_add', { driver: 'nec-usb-xhci', id: 'xenusb-0', p2: 4, p3: 4 });
    const spec = host.usb.device('1-1')!.spec;
    await host.unplug('1-1');
    const args = { driver: 'usb-host', id: 'd', bus: 'xenusb-0.0', port: '1', hostbus: 1, hostport: '1' };
    assert.deepEqual(await client.ask('device_add', args), [{ return: {} }]);
    await host.plug(spec);
    await host.idle();
    assert.equal(driver('1-1:1.0'), 'usbfs');
    await host.close();
  });

  it('has no PCI bus for a PV guest', async () => {
    const { host } = await guest();
    const client = await RawQmp.ready(host.qemus.get(2)!);
    assert.deepEqual(await client.ask('device_add', { driver: 'usb-ehci', id: 'xenusb-0' }), [
      generic("No 'PCI' bus found for device 'usb-ehci'"),
    ]);
    await host.close();
  });

  it('keeps a controller that the guest does not let go of', async () => {
    const { host, qemu, client } = await guest();
    await client.ask('device_add', { driver: 'usb-ehci', id: 'xenusb-0' });
    qemu.guestEjects = false;
    assert.deepEqual(await client.ask('device_del', { id: 'xenusb-0' }), [{ return: {} }]);
    assert.deepEqual(await client.ask('device_del', { id: 'xenusb-0' }), [
      generic('Device xenusb-0 is already in the process of unplug'),
    ]);
    await host.close();
  });

  it('goes wrong on demand', async () => {
    const outcomes: [QmpFate, answered: number, acted: boolean, closed: boolean, alive: boolean][] = [
      ['pass', 1, true, false, true],
      ['hang', 0, false, false, true],
      ['act-but-hang', 0, true, false, true],
      [{ error: 'no', class: 'GenericError' }, 1, false, false, true],
      ['drop', 0, false, true, true],
      ['act-but-drop', 0, true, true, true],
      ['die', 0, false, true, false],
    ];
    for (const [fate, answered, acted, closed, alive] of outcomes) {
      const { host, qemu, client } = await guest();
      const seen: string[] = [];
      qemu.intercept = ({ execute }) => {
        seen.push(execute);
        return execute === 'device_add' ? fate : 'pass';
      };
      const heard = await client.ask('device_add', { driver: 'usb-ehci', id: 'xenusb-0' });
      const label = JSON.stringify(fate);
      assert.deepEqual(seen, ['device_add'], label);
      assert.equal(heard.length, answered, label);
      assert.equal(client.closed !== undefined, closed, label);
      assert.equal(qemu.alive, alive, label);
      qemu.intercept = undefined;
      client.close();
      if (alive) {
        const next = await RawQmp.ready(qemu);
        const [{ return: list } = {}] = await next.ask('qom-list', { path: '/machine/peripheral' });
        assert.equal(JSON.stringify(list).includes('xenusb-0'), acted, label);
      } else {
        const refused = new RawQmp(qemu);
        await refused.heard();
        assert.equal((refused.closed!.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
      }
      await host.close();
    }
  });

  it('says goodbye when libxl ends it, and not when it is killed', async () => {
    for (const how of ['exit', 'kill'] as const) {
      const { host, qemu, client } = await guest();
      await qemu[how]();
      const events = (await client.heard()).map(({ event }) => event);
      assert.deepEqual(events, how === 'exit' ? ['SHUTDOWN'] : []);
      assert.ok(client.closed);
      await host.close();
    }
  });

  it('is published as a socket that serves one process at a time, and is dead when QEMU is', async () => {
    const { host, qemu, client } = await guest();
    client.close();
    const dir = mkdtempSync(join(tmpdir(), 'qmp-'));
    const path = join(dir, 'qmp-libxl-4');
    const published = await publishQmp(qemu, path);
    const open = () => {
      const socket = connect(path);
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const ended = new Promise<string>((resolve) => {
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
        socket.on('close', () => resolve('end'));
      });
      const until = async (part: string) => {
        while (!text.includes(part)) await delay(2);
      };
      return { socket, ended, until, text: () => text };
    };
    const first = open();
    await first.until('"QMP"');
    const second = open();
    first.socket.write('{"execute":"qmp_capabilities"}\n{"execute":"query-status"}\n');
    await first.until('"running"');
    assert.equal(second.text(), '');
    first.socket.destroy();
    await second.until('"QMP"');
    await qemu.kill();
    assert.equal(await second.ended, 'end');
    assert.equal(await open().ended, 'ECONNREFUSED');
    await published.close();
    assert.equal(await open().ended, 'ENOENT');
    rmSync(dir, { recursive: true });
    await host.close();
  });
});
