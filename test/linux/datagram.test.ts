/** Datagrams on Unix sockets, and what systemd is told, received by a program of another language. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadSendDatagram } from '../../src/linux/datagram.js';
import { LinuxError } from '../../src/linux/errors.js';
import { openNotifier } from '../../src/linux/notify.js';
import { orSkip, programOf } from '../support/needs.js';
import { receiving } from './receiver.js';

const folder = mkdtempSync(join(tmpdir(), 'pvusb-datagram-'));
after(() => rmSync(folder, { recursive: true }));
const python = await orSkip('datagrams', 'python3', () => programOf('python3'));

describe('a datagram', { skip: python.skip }, () => {
  for (const path of [join(folder, 'socket'), `@pvusb-test-${process.pid}`])
    it(`arrives whole at ${path.startsWith('@') ? 'an abstract name' : 'a path'}`, async () => {
      const send = await loadSendDatagram();
      const bytes = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, at) => at % 251));
      const received = await receiving(path, 2, () => {
        send(path, bytes);
        send(path, Buffer.from('é\n\0'));
      });
      assert.deepEqual(received, [bytes, Buffer.from('é\n\0')]);
    });

  it('says why it could not be sent', async () => {
    const send = await loadSendDatagram();
    const fails = (path: string, bytes: Uint8Array, code: string): void =>
      assert.throws(
        () => send(path, bytes),
        (error) => error instanceof LinuxError && error.code === code,
        code,
      );
    fails(join(folder, 'nobody'), Buffer.from('x'), 'ENOENT');
    fails('@nobody-listens-here', Buffer.from('x'), 'ECONNREFUSED');
    fails(`/${'x'.repeat(200)}`, Buffer.from('x'), 'ENAMETOOLONG');
    const path = join(folder, 'small');
    await receiving(path, 1, () => {
      fails(path, Buffer.alloc(10_000_000), 'EMSGSIZE');
      send(path, Buffer.from('end'));
    });
  });
});

describe('systemd', { skip: python.skip }, () => {
  it('is told what the service says', async () => {
    const path = join(folder, 'notify');
    const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '3000000', PATH: '/bin' };
    const notifier = openNotifier(environment, 1);
    assert.deepEqual(environment, { PATH: '/bin' });
    assert.equal(notifier.watchdogMs, 3000);
    const [said] = await receiving(path, 1, async () => {
      assert.equal(await notifier.notify('READY=1\nSTATUS=fine'), true);
    });
    assert.equal(String(said), 'READY=1\nSTATUS=fine');
  });

  it('is not told anything when it has not started the process', async () => {
    const notifier = openNotifier({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '77' }, 1);
    assert.equal(notifier.watchdogMs, undefined);
    assert.equal(await notifier.notify('READY=1'), false);
    assert.equal(openNotifier({ WATCHDOG_USEC: '-1' }, 1).watchdogMs, undefined);
  });
});
