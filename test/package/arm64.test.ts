/** The packaged program for Arm, emulated: it does its work on a simulated host, and can call flock(2). */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { labWorld } from '../../src/sim/index.js';
import { Program } from '../cli/program.js';
import { openStage } from '../cli/stage.js';
import { emulated, packaged, version } from './installed.js';

// The small program that starts it would leave the emulator.
const [command, ...before] = emulated(packaged('arm64').full);
const { domid, uuid } = labWorld().domains[0]!;

describe('the packaged program for Arm', () => {
  it('attaches and detaches a device, and keeps the saved configuration correct', async () => {
    await using stage = await openStage();
    const folder = join(stage.dir, 'userdata');
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `userdata-d.${domid}.${uuid}.libxl-json`);
    writeFileSync(file, '{\n    "c_info": {}\n}\n\0', { mode: 0o600 });
    const env = { ...stage.env, PVUSB_USERDATA: folder };
    const prints = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await new Program(command, [...before, ...args], env).ended();
      assert.deepEqual([args, status, stderr], [args, 0, '']);
      return stdout;
    };
    const devices = (): unknown => JSON.parse(readFileSync(file, 'utf8').replace('\0', '')).usbdevs;

    assert.equal(await prints('--version'), `${version}\n`);
    assert.match(
      await prints('attach', 'u1', '4-1'),
      /^4-1 is attached to port 1 of controller 0 of domain u1\.\n/,
    );
    assert.deepEqual(devices(), [{ ctrl: 0, port: 1, 'type.hostdev': { hostbus: 4, hostaddr: 2 } }]);
    assert.match(await prints('usb-list', '1'), /^ {2}Port 1: Bus 004 Device 002$/m);
    assert.match(await prints('detach', '4-1'), /^4-1 is detached from port 1 /);
    assert.equal(devices(), undefined);
    assert.ok(!existsSync(join(folder, `userdata-l.${domid}.${uuid}.domain-userdata-lock`)));
  });
});
