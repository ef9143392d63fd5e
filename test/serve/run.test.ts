import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openImage, openTrace, serveText } from '../../src/serve/files.js';
import { readFirewall } from '../../src/serve/firewall-file.js';
import { runBackend } from '../../src/serve/index.js';
import { parseVirtual } from '../../src/serve/virtual.js';
import { noise } from '../backend/stage.js';
import { failure } from '../core/support/test-host.js';

const folder = await mkdtemp(join(tmpdir(), 'pvusb-serve-'));
after(() => rm(folder, { recursive: true }));

describe('an image', () => {
  it('is read, written and kept', async () => {
    const path = join(folder, 'image');
    const bytes = noise(4096 + 100);
    await writeFile(path, bytes);
    const image = await openImage(path, false);
    assert.equal(image.size, 4096, 'whole blocks');
    assert.equal(Buffer.compare(await image.read(512, 512), bytes.subarray(512, 1024)), 0);
    const written = noise(512, 3);
    const writing = image.write(1024, written);
    written.fill(0);
    await writing;
    await image.flush();
    const again = await openImage(path, true);
    assert.equal(
      Buffer.compare(await again.read(1024, 512), noise(512, 3)),
      0,
      'as it was when it was written',
    );
  });
});

describe('a virtual device', () => {
  it('is named by its port and what it is', async () => {
    const path = join(folder, 'stick');
    await writeFile(path, noise(1024));
    const stick = await parseVirtual(`3/0/2=read-only-stick:${path}`);
    assert.deepEqual([stick?.domid, stick?.devid, stick?.port], [3, 0, 2]);
    assert.equal(stick?.make().speed, 'high');
    assert.equal((await parseVirtual('3/0/1=keyboard'))?.make().speed, 'full');
    for (const wrong of ['', '3/0=keyboard', '3/0/1=mouse', '3/0/1=stick', '-1/0/1=keyboard']) {
      assert.equal(await parseVirtual(wrong), undefined, wrong);
    }
    await assert.rejects(parseVirtual('3/0/1=stick:/nowhere'), { code: 'ENOENT' });
  });
});

describe('the files of a running backend', () => {
  it('are a trace in order, and a socket that tells what is asked', async () => {
    const trace = openTrace(join(folder, 'trace'), assert.fail);
    for (let at = 0; at < 100; at++) trace.write(Uint8Array.of(at));
    await trace.close();
    const socket = join(folder, 'metrics');
    await writeFile(socket, 'of somebody else');
    const refused = await failure(() => serveText(socket, () => 'metrics 1\n', assert.fail));
    assert.equal(refused.code, 'cannot-listen');
    assert.equal(await readFile(socket, 'utf8'), 'of somebody else');
    await rm(socket);
    const killed = createServer().listen(`${socket}2`);
    await once(killed, 'listening');
    await rename(`${socket}2`, socket);
    killed.close();
    const end = await serveText(socket, () => 'metrics 1\n', assert.fail);
    const told = await new Promise<string>((resolve, reject) => {
      let text = '';
      connect(socket)
        .on('data', (bytes) => {
          text += bytes.toString();
        })
        .on('end', () => resolve(text))
        .on('error', reject);
    });
    assert.equal(told, 'metrics 1\n');
    end();
  });
});

describe('the file of the rules of the firewall', () => {
  it('is read as it comes, and refused when it is no text that people write', async () => {
    const path = join(folder, 'firewall.conf');
    await writeFile(path, '\uFEFF# c\r\n\tstall\tdevice=0403:6001 # x=y\r\n');
    assert.deepEqual(
      (await readFirewall(path)).map(({ verdict, vendor }) => ({ verdict, vendor })),
      [{ verdict: 'stall', vendor: 0x403 }],
    );
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await writeFile(path, '#'.repeat(1_000_001));
    for (const [name, what] of [
      [pipe, /not a regular file/],
      [folder, /not a regular file/],
      [path, /more than 1000000 bytes/],
      [join(folder, 'none'), /^There is no file .*\/none\.$/],
    ] as const) {
      const refused = await failure(() => readFirewall(name));
      assert.equal(refused.code, 'invalid-configuration');
      assert.match(refused.message, what);
      assert.match(refused.remedy, /^Check the path/);
    }
  });
});

describe('a host that cannot be served', () => {
  it('is one with usbback, and one whose devices of Xen are missing', async () => {
    const root = join(folder, 'sys');
    await mkdir(join(root, 'bus/usb/drivers/usbback'), { recursive: true });
    const options = { signal: new AbortController().signal, sysfsRoot: root, log: assert.fail };
    const served = await failure(() => runBackend(options));
    assert.equal(served.code, 'backend-impossible');
    assert.match(served.message, /usbback already serves/);
    // What is wrong in itself is refused first, on any host.
    for (const more of [{ virtual: ['3/0/1=mouse'] }, { firewall: folder }])
      assert.match((await failure(() => runBackend({ ...options, ...more }))).code, /^invalid-/);
    await rm(join(root, 'bus/usb/drivers/usbback'), { recursive: true });
    const wrong = await failure(() => runBackend({ ...options, virtual: ['3/0/1=mouse'] }));
    assert.equal(wrong.code, 'invalid-argument');
  });
});
