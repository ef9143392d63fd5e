/** Virtual devices that are attached by name, on a host that pvusb's own backend serves. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { link, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  addController,
  attachDevice,
  attachVirtual,
  describeFinding,
  detachDevice,
  doctor,
  formatPlan,
  listControllers,
  observe,
  parseVirtualName,
  removeController,
  type VirtualName,
} from '../../src/pvusb/index.js';
import { type GuestDevice, GuestStorage } from '../../src/sim/frontend/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { noise } from '../backend/stage.js';
import { failure } from '../core/support/test-host.js';
import { operated, type ServedHost } from './stage.js';

const folder = await mkdtemp(join(tmpdir(), 'pvusb-virtual-'));
after(() => rm(folder, { recursive: true }));

const BYTES = 64 * 1024;
let images = 0;

/** An image of its own. */
async function image(): Promise<{ readonly path: string; readonly bytes: Uint8Array }> {
  const path = join(folder, `image-${++images}`);
  const bytes = noise(BYTES, images);
  await writeFile(path, bytes);
  return { path, bytes };
}

function named(text: string): VirtualName {
  const name = parseVirtualName(text);
  assert.ok(name, text);
  return name;
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

/** The stick in a port, as the guest's driver has it. */
async function stickOf(served: ServedHost, domid = 1): Promise<GuestStorage> {
  await served.settle();
  const guest = await served.guest(domid);
  await guest.waitFor(1, true);
  const device: GuestDevice = await guest.enumerate(1);
  return new GuestStorage(guest, device);
}

/** All nodes of controllers. */
async function storeOf({ sim }: ServedHost): Promise<string[]> {
  return sim.store
    .dump()
    .split('\n')
    .filter((line) => /vusb\/|usbback/.test(line));
}

describe('a virtual stick', () => {
  it('is read by the guest, write-protected, listed, and detached by its name', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const { path, bytes } = await image();
    const before = await storeOf(served);
    const device = named(`read-only-stick:${path}`);
    const { plan, result } = await attachVirtual(host, { domain: 'u1', device }, { watchMs: 0 });
    assert.deepEqual([result.type, result.devid, result.port, result.virtual], ['pv', 0, 1, device]);
    assert.match(formatPlan(plan), /wait up to 10 s until the pvusb backend has opened read-only-stick:/);

    const stick = await stickOf(served);
    assert.equal(md5(await stick.read(0, BYTES)), md5(bytes));
    await assert.rejects(stick.write(0, noise(512)), /SCSI command 2a failed/);
    assert.equal(md5(await readFile(path)), md5(bytes));

    // What libxl reads is an empty port; what is there only domain 0 may know.
    assert.equal(await served.client.read('/local/domain/0/backend/vusb/1/0/port/1'), '');
    const node = '/libxl/1/device/vusb/0/virtual/1';
    assert.equal(await served.client.read(node), device);
    const guest = new XenstoreClient(served.sim.store.connect(1));
    await assert.rejects(guest.read(node), { code: 'EACCES' });
    await assert.rejects(guest.write(node, 'stick:/etc/passwd'), { code: 'EACCES' });
    guest.close();

    await served.settle();
    const { controllers } = await observe(host);
    assert.deepEqual(controllers[0]?.ports[0], { port: 1, virtual: device });
    assert.deepEqual((await doctor(host)).findings, []);
    const other = await attachDevice(host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    assert.equal(other.result.devid, 1, "the host's device has a controller of its own");
    const refused = await failure(() =>
      attachDevice(host, { domain: 'u1', device: '3-2', devid: 0, port: 1 }),
    );
    assert.equal(refused.code, 'port-in-use');
    await detachDevice(host, { device: '4-1' });
    await removeController(host, { domain: 'u1', devid: 1 });

    const detached = await detachDevice(host, { device });
    assert.deepEqual(detached.result, { domid: 1, devid: 0, port: 1, virtual: device });
    await (await served.guest(1)).waitFor(1, false);
    await removeController(host, { domain: 'u1', devid: 0 });
    await served.settle();
    assert.deepEqual(await storeOf(served), before);
  });

  it('is written to by one guest at a time', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const { path } = await image();
    const device = named(`stick:${path}`);
    await attachVirtual(host, { domain: 'u1', device }, { watchMs: 0 });
    const stick = await stickOf(served);
    const written = noise(4096, 7);
    await stick.write(8192, written);
    const before = await storeOf(served);
    for (const again of [device, named(`read-only-stick:${path}`)]) {
      const refused = await failure(() => attachVirtual(host, { domain: 'u2', device: again }));
      assert.equal(refused.code, 'already-attached');
      assert.match(refused.message, /port 1 of controller 0 of u1/);
    }
    assert.deepEqual(await storeOf(served), before);
    await detachDevice(host, { domain: 'u1', devid: 0, port: 1 });
    assert.equal(md5((await readFile(path)).subarray(8192, 8192 + 4096)), md5(written));

    // Another name of the same file is told by the backend alone.
    await link(path, `${path}-link`);
    await attachVirtual(host, { domain: 'u1', device }, { watchMs: 0 });
    const twice = await failure(() =>
      attachVirtual(host, { domain: 'u2', device: named(`stick:${path}-link`) }),
    );
    assert.equal(twice.code, 'not-opened');
    assert.match(twice.message, /it is another virtual stick already/);
    assert.equal((await observe(host)).controllers.length, 1, 'the controller made for it is gone, too');

    const both = named(`read-only-stick:${(await image()).path}`);
    for (const domain of ['u1', 'u2']) await attachVirtual(host, { domain, device: both }, { watchMs: 0 });
    const which = await failure(() => detachDevice(host, { device: both }));
    assert.equal(which.code, 'ambiguous-device');
    await detachDevice(host, { device: both, domain: 'u2' });
    await detachDevice(host, { device: both });
    assert.equal((await failure(() => detachDevice(host, { device: both }))).code, 'port-empty');
  });

  it('is taken over by the next backend, and is gone with its controller', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const { path, bytes } = await image();
    await attachVirtual(host, { domain: 'u1', device: named(`stick:${path}`) }, { watchMs: 0 });
    const stick = await stickOf(served);
    await stick.read(0, 4096);
    await served.kill();
    await served.serve();
    const isOpen = (): boolean =>
      served.messages.filter((message) => message.endsWith('is open')).length === 2;
    while (!isOpen()) await served.settle();
    assert.equal(md5(await stick.read(0, BYTES)), md5(bytes));
    await removeController(host, { domain: 'u1', devid: 0 });
    await served.settle();
    assert.equal(await served.client.read('/libxl/1/device/vusb/0'), undefined);
    await attachVirtual(host, { domain: 'u2', device: named(`stick:${path}`) }, { watchMs: 0 });
  });

  it('is refused when its image cannot be one, and nothing has changed', async () => {
    const { served, host, isAlive } = await operated();
    await using _ = served;
    const before = await storeOf(served);
    const refusals = [
      [`stick:${folder}/none`, 'image-unusable', /there is no such file/],
      [`stick:${folder}`, 'image-unusable', /neither a file nor a block device/],
      ['read-only-stick:/dev/null', 'image-unusable', /neither a file nor a block device/],
      // Guests read the reason, too: no paths of the host in it.
      [`stick:${folder}/loop`, 'image-unusable', /stick: ELOOP: too many symbolic links encountered\.$/],
    ] as const;
    await symlink(`${folder}/loop`, `${folder}/loop`);
    for (const [text, code, says] of refusals) {
      const refused = await failure(() => attachVirtual(host, { domain: 'u1', device: named(text) }));
      assert.equal(refused.code, code);
      assert.match(refused.message, says);
    }
    // What only the backend sees ends the same way.
    const { images: __, ...blind } = host;
    const missing = named(`stick:${folder}/none`);
    const late = await failure(() => attachVirtual(blind, { domain: 'u1', device: missing }));
    assert.equal(late.code, 'not-opened');
    assert.match(late.message, /there is no such file/);
    await served.settle();
    assert.deepEqual(await storeOf(served), before);

    const device = named('keyboard');
    const own = await failure(() => attachVirtual(host, { domain: 0, device }));
    assert.equal(own.message, 'Domain 0 cannot be given keyboard: virtual devices are for guests.');
    const dry = await attachVirtual(host, { domain: 'u1', device }, { dryRun: true });
    assert.equal(dry.plan.title, 'attach keyboard to port 1 of controller 0 of u1 (domain 1)');
    assert.deepEqual(await storeOf(served), before);
    isAlive.value = false;
    assert.equal((await failure(() => attachVirtual(host, { domain: 'u1', device }))).code, 'no-usbback');
  });

  it('tells of a write that its file system has no room for', async () => {
    const { path } = await image();
    const module = new URL('../../src/serve/images.js', import.meta.url).href;
    // A file that may not get longer than half of it takes the first half of a write, like a full file system.
    const program = [
      `const { StickImages } = await import(${JSON.stringify(module)});`,
      `const stick = await new StickImages().open(${JSON.stringify(path)}, false);`,
      `await stick.write(0, new Uint8Array(${BYTES})).then(() => console.log('written'), (error) => console.log(error.code));`,
    ].join('\n');
    const shell = `ulimit -f ${BYTES / 2 / 1024}; exec "$0" --input-type=module -e "$1"`;
    const { stdout } = spawnSync('bash', ['-c', shell, process.execPath, program], { encoding: 'utf8' });
    assert.equal(stdout, 'EFBIG\n');
  });

  it('that the backend could not open again is found by the doctor, whose repair frees the port', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const { path } = await image();
    const device = named(`stick:${path}`);
    await attachVirtual(host, { domain: 'u1', device });
    assert.deepEqual((await doctor(host, { settleMs: 0 })).findings, []);
    // What the backend writes when the image is gone after it was restarted.
    await host.xenstore.write('/local/domain/0/backend/vusb/1/0/port-state/1', '6');
    const { findings, plans } = await doctor(host, { settleMs: 0 });
    assert.deepEqual(
      findings.map((finding) => describeFinding(finding)),
      [
        `Port 1 of controller 0 of domain 1 holds stick:${path}, but the pvusb backend has not opened it; see its log.`,
      ],
    );
    assert.equal(plans[0]?.title, 'free port 1 of controller 0 of u1 (domain 1)');
    const { remaining } = await doctor(host, { settleMs: 0, fix: true });
    assert.deepEqual(remaining, []);
    const [controller] = await listControllers(host, { domain: 'u1' });
    assert.ok(controller?.ports.every(({ virtual }) => virtual === undefined));
  });

  it('is never what a port itself names', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const { path } = await image();
    await addController(host, { domain: 'u1', type: 'pv' });
    await served.setPort(1, 0, 1, `stick:${path}`);
    assert.equal(await served.portState(1, 0, 1), '6');
    assert.match(served.messages.join('\n'), /stick:.* cannot be opened: stick:.* is not there/);
  });
});
