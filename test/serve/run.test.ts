import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openImages } from '../../src/hostuse/index.js';
import { openTrace, serveText } from '../../src/serve/files.js';
import { readFirewall } from '../../src/serve/firewall-file.js';
import { StickImages } from '../../src/serve/images.js';
import { runBackend } from '../../src/serve/index.js';
import { openVirtual, parseVirtualPort } from '../../src/serve/virtual.js';
import { noise } from '../backend/stage.js';
import { failure } from '../core/support/test-host.js';

const folder = await mkdtemp(join(tmpdir(), 'pvusb-serve-'));
after(() => rm(folder, { recursive: true }));

describe('an image', () => {
  it('is read, written and kept', async () => {
    const path = join(folder, 'image');
    const bytes = noise(4096 + 100);
    await writeFile(path, bytes);
    const images = new StickImages();
    const image = await images.open(path, false);
    assert.equal(image.size, 4096, 'whole blocks');
    assert.equal(Buffer.compare(await image.read(512, 512), bytes.subarray(512, 1024)), 0);
    const written = noise(512, 3);
    const writing = image.write(1024, written);
    written.fill(0);
    await writing;
    await image.flush();
    await assert.rejects(images.open(path, true), /it is another virtual stick already/);
    await link(path, `${path}-2`);
    await assert.rejects(images.open(`${path}-2`, true), /it is another virtual stick already/);
    await image.close?.();
    const again = await images.open(path, true);
    assert.equal(
      Buffer.compare(await again.read(1024, 512), noise(512, 3)),
      0,
      'as it was when it was written',
    );
    const second = await images.open(`${path}-2`, true);
    await assert.rejects(images.open(path, false), /it is another virtual stick already/);
    await second.close?.();
    await again.close?.();
    await (await images.open(path, false)).close?.();
  });

  it('is a file with blocks in it, or a disk, that the host is not using', async () => {
    const sys = join(folder, 'sys');
    const path = join(folder, 'looped');
    await writeFile(path, noise(1024));
    await symlink(path, `${path}-link`);
    for (const [loop, ro] of [
      ['loop0', '0'],
      ['loop1', '1'],
    ] as const) {
      await mkdir(join(sys, 'block', loop, 'loop'), { recursive: true });
      await writeFile(join(sys, 'block', loop, 'ro'), `${ro}\n`);
    }
    const images = openImages(sys);
    assert.equal(await images.problemOf(path, false), undefined);
    await writeFile(join(sys, 'block/loop1/loop/backing_file'), `${path}\n`);
    assert.equal(await images.problemOf(`${path}-link`, true), undefined, 'both only read it');
    assert.equal(await images.problemOf(`${path}-link`, false), 'the host is using it as /dev/loop1');
    await writeFile(join(sys, 'block/loop0/loop/backing_file'), `${path}\n`);
    assert.equal(await images.problemOf(path, true), 'the host is using it as /dev/loop0');
    assert.equal(await images.problemOf(folder, true), 'it is neither a file nor a block device');
    assert.equal(await images.problemOf('/dev/null', true), 'it is neither a file nor a block device');
    assert.equal(await images.problemOf(join(folder, 'none'), true), 'there is no such file');
    await writeFile(join(folder, 'short'), noise(511));
    assert.equal(await images.problemOf(join(folder, 'short'), true), 'it has less than 512 bytes');
  });
});

describe('a virtual device', () => {
  it('is named by its port and what it is', async () => {
    const path = join(folder, 'stick');
    await writeFile(path, noise(1024));
    const stick = parseVirtualPort(`3/0/2=read-only-stick:${path}`);
    assert.deepEqual(stick, { domid: 3, devid: 0, port: 2, name: `read-only-stick:${path}` });
    const images = new StickImages();
    const opened = await openVirtual(images, stick!.name);
    assert.equal(opened.speed, 'high');
    await opened.close();
    assert.equal((await openVirtual(images, parseVirtualPort('3/0/1=keyboard')!.name)).speed, 'full');
    for (const wrong of [
      '',
      '3/0=keyboard',
      '3/0/1=mouse',
      '3/0/1=stick',
      '-1/0/1=keyboard',
      '3/0/1=stick:x',
    ])
      assert.equal(parseVirtualPort(wrong), undefined, wrong);
    const nowhere = parseVirtualPort('3/0/1=stick:/nowhere')!;
    await assert.rejects(openVirtual(images, nowhere.name), /there is no such file/);
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
