import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { formatRanges } from '../../src/cli/commands/list.js';
import { labWorld, parseWorldText } from '../../src/sim/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { announceBackend } from './announced.js';
import { openStage, type Stage } from './stage.js';

/** As much of it as these tests look at. */
interface Shown {
  readonly busid: string;
  readonly bus: number;
  readonly address: number;
  readonly kind: string;
  readonly usedBy: string;
  readonly assignable: boolean;
  readonly reason?: string;
}

/** The cells of a table, without its header. */
function cells(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/));
}

describe('the commands that read', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
    await stage.done('attach', 'u1', '4-1');
    await stage.done('attach', 'u1', '3-6', '-c', '0', '-p', '3');
    await stage.done('attach', 'u2', '3-8');
    await stage.sim.unplug('3-8');
    await stage.sim.idle();
  });
  after(() => stage[Symbol.asyncDispose]());

  it('devices shows what is plugged in and who has it', async () => {
    const lines = (await stage.done('devices')).split('\n');
    const header = 'BUSID ADDR ID SERIAL SPEED CLASS USED BY ATTACHABLE NAME';
    assert.equal(lines[0]!.replaceAll(/ +/g, ' '), header);
    const line = (busid: string) => lines.find((candidate) => candidate.startsWith(`${busid} `));
    assert.match(
      line('3-2')!,
      /^3-2 +3\.2 +0627:0001 +68284-\S+ +480M +input +usbhid +yes +QEMU USB Keyboard$/,
    );
    assert.match(line('3-5')!, / hub +hub +no \(hub\) +QEMU USB Hub$/);
    assert.match(line('3-6')!, / audio +u1 +no \(in use\) /);
    assert.match(line('4-1')!, /^4-1 +4\.2 +46f4:0001 +LAB0001 +5G +storage +u1 +no \(in use\) /);
    assert.equal(line('3-8'), undefined);
    assert.equal(line('usb3'), undefined);
  });

  it('devices --all shows root hubs too', async () => {
    const lines = cells(await stage.done('devices', '--all'));
    assert.deepEqual(
      lines.filter(([busid]) => busid!.startsWith('usb')).map((row) => [row[0], row.at(-2)]),
      [1, 2, 3, 4].map((bus) => [`usb${bus}`, 'no (root hub)']),
    );
  });

  it('devices --json says the same as its text', async () => {
    const data = JSON.parse(await stage.done('devices', '--json')) as Shown[];
    const told = data.map(({ busid, bus, address, usedBy, assignable, reason }) => [
      busid,
      `${bus}.${address}`,
      usedBy,
      assignable ? 'yes' : `no (${reason})`,
    ]);
    const table = cells(await stage.done('devices'));
    assert.deepEqual(
      told,
      table.map((row) => [row[0], row[1], row.at(-3), row.at(-2)]),
    );
  });

  it('devices shows next to the name of a device what the usb.ids in PVUSB_USBIDS calls it', async () => {
    const place = join(stage.dir, 'usb.ids');
    writeFileSync(place, '46f4  Sticks\n\t0001  Stick\n');
    assert.match(await stage.done('devices'), /^4-1 .* QEMU USB HARDDRIVE +Sticks Stick$/m);
    const [stick] = JSON.parse(await stage.done('devices', '--json'));
    assert.deepEqual([stick.name, stick.listedAs], ['QEMU USB HARDDRIVE', 'Sticks Stick']);
    rmSync(place);
    assert.match(await stage.done('devices'), /^4-1 .* QEMU USB HARDDRIVE$/m);
  });

  it('list shows domains, controllers, ports and devices, and what was pulled out', async () => {
    const text = await stage.done('list');
    assert.equal(
      text,
      `Domain 1, "u1", pv
  Controller 0: pv, USB 2, 8 ports, connected
    port 1   4-1       46f4:0001  QEMU USB HARDDRIVE
    port 3   3-6       46f4:0002  QEMU USB Audio
    free: port 2, 4-8

Domain 2, "u2", pv
  Controller 0: pv, USB 2, 8 ports, connected
    port 1   3-8       MISSING: pulled out (see "pvusb doctor")
    free: port 2-8
`,
    );
    const [first, second] = text.split(/^(?=Domain)/m);
    assert.equal(`${await stage.done('list', 'u1')}\n`, first);
    assert.equal(await stage.done('list', '2'), second);
    assert.equal(await stage.done('list', '02'), second);
  });

  it('list --json says the same as its text', async () => {
    const data = JSON.parse(await stage.done('list', '--json'));
    assert.deepEqual(
      data.map(({ domid, name }: { domid: number; name: string }) => [domid, name]),
      [
        [1, 'u1'],
        [2, 'u2'],
      ],
    );
    const [u1, u2] = data;
    assert.equal(u1.controllers[0].ports[0].device.product, 'QEMU USB HARDDRIVE');
    assert.equal(u1.controllers[0].ports[2].busid, '3-6');
    assert.deepEqual(u2.controllers[0].ports[0], { port: 1, busid: '3-8', state: 'missing', missing: true });
    assert.deepEqual(JSON.parse(await stage.done('list', 'u2', '--json')), [u2]);
  });

  it('controller info shows everything about one controller, the same as data', async () => {
    const text = await stage.done('controller', 'info', 'u1', '0');
    const facts = new Map(text.split('\n').map((line) => [line.slice(0, 18).trim(), line.slice(18)]));
    const data = JSON.parse(await stage.done('controller', 'info', 'u1', '0', '--json'));
    const { untrustedFrontend: guest } = data;
    assert.deepEqual(
      [facts.get('domain'), facts.get('controller'), facts.get('type'), facts.get('USB version')],
      [data.domid, data.devid, data.type, data.version].map(String),
    );
    assert.equal(facts.get('ports'), '8: 4-1 in port 1, 3-6 in port 3');
    assert.equal(facts.get('backend'), `${data.backend} (domain 0)`);
    assert.equal(facts.get('backend state'), 'connected');
    assert.equal(facts.get('frontend'), data.frontend);
    assert.equal(facts.get('the guest says'), 'connected');
    assert.equal(facts.get('event channel'), String(guest.eventChannel));
    assert.equal(facts.get('URB ring'), String(guest.urbRingRef));
    assert.equal(facts.get('connection ring'), String(guest.connRingRef));
    assert.notEqual(guest.urbRingRef, guest.connRingRef);
  });

  it('inventory is JSON with and without --json', async () => {
    const text = await stage.done('inventory');
    assert.equal(await stage.done('inventory', '--json'), text);
    assert.equal(JSON.parse(text).format, 'pvusb-inventory-1');
  });

  it('inventory is a world on which devices and list say the same again', async () => {
    await using again = await openStage(parseWorldText(await stage.done('inventory')));
    for (const argv of [
      ['devices', '-a'],
      ['devices', '--json'],
      ['list'],
      ['list', '--json'],
      ['usb-list', 'u1'],
    ]) {
      assert.equal(await again.done(...argv), await stage.done(...argv), argv.join(' '));
    }
  });

  it('list says so when there is no guest and devices when nothing is plugged in', async () => {
    const inventory = JSON.parse(await stage.done('inventory'));
    const empty = { ...inventory, devices: [], domains: [], controllers: [], savedDrivers: [] };
    await using again = await openStage(parseWorldText(JSON.stringify(empty)));
    assert.equal(await again.done('list'), 'There are no guests.\n');
    assert.equal(await again.done('devices'), 'No USB device is plugged into this host.\n');
    assert.deepEqual(JSON.parse(await again.done('list', '--json')), []);
  });

  it("a domain whose name is another's number is not taken for it", async () => {
    await stage.sim.addDomain({ domid: 7, name: '2' });
    assert.match(await stage.done('list', '2'), /^Domain 2, "u2"/);
    assert.match(await stage.done('list', '7'), /^Domain 7, "2", pv: no USB controller\n$/);
    await stage.sim.killDomain(7);
  });

  it('port numbers are shown as ranges', () => {
    assert.equal(formatRanges([]), '');
    assert.equal(formatRanges([1, 3, 4, 5, 8, 10]), '1, 3-5, 8, 10');
  });
});

describe('a virtual device', () => {
  it('is not attached by a daemon elsewhere', async () => {
    await using stage = await openStage();
    const { status, stderr } = await stage.run('--host', 'unix:/nowhere', 'attach', 'u 1', 'stick:/a b');
    assert.equal(status, 2);
    assert.match(stderr, /^pvusb: "pvusb attach DOMAIN stick:\/a b" works only on the host itself/);
  });
});

describe('list with a virtual device that the backend has not opened', () => {
  it('says whether the backend is running, and where it says why', async () => {
    await using stage = await openStage({ ...labWorld(), usbback: false });
    const shape = { type: 'pv', version: 2, portCount: 2, backendDomid: 0, online: true, ports: new Map() };
    await stage.sim.addController({ domid: 1, devid: 0, ...shape });
    const host = new XenstoreClient(stage.sim.store.connect(0));
    await host.write('/libxl/1/device/vusb/0/virtual/1', 'stick:/srv/gone.img');
    const line = async () => (await stage.done('list', 'u1')).split('\n').find((one) => /stick/.test(one));
    assert.equal(
      (await line())?.trim(),
      'port 1   NOT TAKEN by the pvusb backend: is it running? stick:/srv/gone.img',
    );
    await announceBackend(stage, host);
    assert.equal(
      (await line())?.trim(),
      'port 1   NOT TAKEN by the pvusb backend (see its log): stick:/srv/gone.img',
    );
    host.close();
  });
});
