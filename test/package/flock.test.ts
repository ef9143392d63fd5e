/** Saved configurations are updated under libxl's lock: the packaged program can call flock(2). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { labWorld } from '../../src/sim/index.js';
import { Program } from '../cli/program.js';
import { openStage, type Run, type Stage } from '../cli/stage.js';
import { packaged, toolOrSkip } from './installed.js';

const { program } = packaged('amd64');
const { tool: flock, skip } = await toolOrSkip(['flock'], 'util-linux');

const { domid, uuid } = labWorld().domains[0]!;

describe('the saved configuration, with the packaged program', () => {
  let stage: Stage;
  let folder: string;
  let file: string;
  let lock: string;
  before(async () => {
    stage = await openStage();
    folder = join(stage.dir, 'userdata');
    mkdirSync(folder, { recursive: true });
    file = join(folder, `userdata-d.${domid}.${uuid}.libxl-json`);
    lock = join(folder, `userdata-l.${domid}.${uuid}.domain-userdata-lock`);
    writeFileSync(file, '{\n    "c_info": {}\n}\n\0', { mode: 0o600 });
  });
  after(() => stage[Symbol.asyncDispose]());

  const start = (...args: readonly string[]): Program =>
    new Program(program, args, { ...stage.env, PVUSB_USERDATA: folder });
  const devices = (): unknown => JSON.parse(readFileSync(file, 'utf8').replace('\0', '')).usbdevs;
  const done = ({ status, stderr }: Run): void => assert.deepEqual([status, stderr], [0, '']);

  it('follows attach and detach', async () => {
    done(await start('attach', 'u1', '4-1').ended());
    assert.deepEqual(devices(), [{ ctrl: 0, port: 1, 'type.hostdev': { hostbus: 4, hostaddr: 2 } }]);
    assert.ok(!existsSync(lock));
    done(await start('detach', '4-1').ended());
    assert.equal(devices(), undefined);
  });

  it("waits while another program has the lock, util-linux's flock", { skip }, async () => {
    const holder = spawn(flock, [lock, 'sh', '-c', 'echo held; read line'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    const attach = start('attach', 'u1', '4-1');
    const ended = attach.ended();
    assert.equal(await Promise.race([ended.then(() => 'ended'), sleep(1500, 'waits')]), 'waits');
    assert.equal(devices(), undefined);
    // As libxl does: the file is removed before the lock is released.
    rmSync(lock);
    holder.stdin.end('\n');
    done(await ended);
    assert.equal((devices() as unknown[]).length, 1);
    done(await start('detach', '4-1').ended());
  });
});
