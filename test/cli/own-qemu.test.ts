/** What the commands say about guests that a QEMU serves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { qemuWorld } from '../../src/sim/index.js';
import { ERROR_TEXT, openStage, type Stage } from './stage.js';

describe('the commands on guests that a QEMU serves', () => {
  let stage: Stage;
  before(async () => {
    const world = qemuWorld({ usbback: false });
    // The doctor looks at a device without a driver for 11 s.
    stage = await openStage({ ...world, devices: world.devices.filter(({ busid }) => busid !== '3-8') });
  });
  after(() => stage[Symbol.asyncDispose]());

  it('a guest without a QEMU is refused, and told how it gets one', async () => {
    const { status, stdout, stderr } = await stage.run('attach', 'u1', '4-1');
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, ERROR_TEXT);
    assert.match(stderr, /u1 \(domain 1\) .*\(QEMU\)[\s\S]*usbctrl=\["type=qusb"\].*\(no-device-model\)/);
  });

  it('devices are attached as to any guest, and shown where they are', async () => {
    assert.equal(
      await stage.done('attach', 'u2', '4-1'),
      '4-1 is attached to port 1 of controller 0 of domain u2.\n',
    );
    assert.equal(
      await stage.done('attach', 'h1', '3-2'),
      '3-2 is attached to port 1 of controller 0 of domain h1.\n',
    );
    assert.equal(
      await stage.done('list', 'u2'),
      `Domain 2, "u2", pv
  Controller 0: qusb, USB 2, 4 ports, connected
    port 1   4-1       46f4:0001  QEMU USB HARDDRIVE
    free: port 2-4
`,
    );
    assert.equal(
      await stage.done('list', 'h1'),
      `Domain 4, "h1", hvm
  Controller 0: devicemodel, USB 2, 6 ports, emulated by QEMU
    port 1   3-2       0627:0001  QEMU USB Keyboard
    free: port 2-6
`,
    );
    assert.match(await stage.done('devices'), /^4-1 .* u2 +no \(in use\) /m);
  });

  it('export prints what a guest has as xl.cfg', async () => {
    assert.equal(
      await stage.done('export', 'u2'),
      'usbctrl = [ "type=qusb,version=2,ports=4" ]\n' +
        'usbdev = [ "type=hostdev,hostbus=4,hostaddr=2,controller=0,port=1" ]\n',
    );
    const data = JSON.parse(await stage.done('export', 'h1', '--json'));
    assert.deepEqual(data, {
      controllers: [{ type: 'devicemodel', version: 2, ports: 6 }],
      devices: [{ hostbus: 3, hostaddr: 2, controller: 0, port: 1 }],
    });
    assert.equal(await stage.done('export', 'u1'), 'usbctrl = [ ]\nusbdev = [ ]\n');
  });

  it('a dry run shows what QEMU would be told', async () => {
    assert.equal(
      await stage.done('attach', 'h1', '2-1', '--dry-run'),
      `attach 2-1 to port 1 of controller 1 of h1 (domain 4)
  1. create /libxl/4/device/vusb/1,
     note it in the saved configuration of domain 4
  2. have the QEMU of domain 4 emulate controller 1 (USB 3, 8 ports)
  3. write /libxl/4/device/vusb/1/port/1 = "2-1",
     write /libxl/usbback/2-1/device = "0627:0001;89126-0000%3A00%3A07.0-1;03/01/02;2.2",
     write /libxl/usbback/2-1/2-1@1_0/driver_path = "/sys/bus/usb/drivers/usbhid",
     note it in the saved configuration of domain 4
  4. check that 2-1 is still at address 2.2
  5. have the QEMU of domain 4 put 2-1 (2.2) into port 1 of controller 1
  6. check that /libxl/4/device/vusb/1/port/1 is "2-1"
Nothing was changed (--dry-run).
`,
    );
  });

  it('controller info asks the QEMU', async () => {
    assert.match(
      await stage.done('controller', 'info', 'u2', '0'),
      /^QEMU +is alive, .* devices of port 1$/m,
    );
    const emulated = await stage.done('controller', 'info', 'h1', '0');
    assert.match(emulated, /^type +devicemodel$/m);
    assert.doesNotMatch(emulated, /backend|ring/);
    const data = JSON.parse(await stage.done('controller', 'info', 'h1', '0', '--json'));
    assert.deepEqual(data.qemu.devices, [{ type: 'devicemodel', devid: 0, port: 1, open: true }]);
  });

  it('a device in limbo, a dead QEMU and what it had are reported', async () => {
    const { spec } = stage.sim.usb.device('4-1')!;
    await stage.sim.unplug('4-1');
    await stage.sim.plug({ ...spec, serial: 'OTHER' });
    await stage.sim.idle();
    assert.match(
      await stage.done('list', 'u2'),
      /^ {4}port 1 {3}4-1 {7}ANOTHER DEVICE is in that socket now/m,
    );
    await stage.sim.qemus.get(2)!.kill();
    const { stdout, status } = await stage.run('doctor', '--fix');
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^The QEMU of u2 \(domain 2\) has died; it had been given 4-1\.$/m);
    assert.match(stdout, /^Fixed; nothing is wrong now\.$/m);
    const { stderr } = await stage.run('attach', 'u2', '1-1');
    assert.match(stderr, /^pvusb: The QEMU that served u2 \(domain 2\) has died\.\n.*\(qemu-dead\)\n$/);
  });

  it('the inventory is simulated as the same host', async () => {
    const inventory = JSON.parse(await stage.done('inventory'));
    const of = (domid: number) =>
      inventory.domains.find((domain: { domid: number }) => domain.domid === domid);
    assert.deepEqual(of(4).deviceModel, { running: true, qusb: true });
    assert.equal(of(1).deviceModel, undefined);
    assert.deepEqual(
      inventory.qemus.map(({ domid, health }: { domid: number; health: string }) => `${domid} ${health}`),
      ['2 dead', '4 alive'],
    );
  });
});
