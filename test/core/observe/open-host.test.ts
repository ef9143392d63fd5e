/** The contract of opening and closing a host, clause by clause. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, test } from 'node:test';
import {
  attachDevice,
  isPvusbError,
  listDevices,
  observe,
  openHost,
  startQemu,
  watchDomains,
} from '../../../src/pvusb/index.js';
import { openStage, type Stage } from '../../cli/stage.js';

const MODULE = new URL('../../../src/pvusb/index.js', import.meta.url).href;

const open = ({ env }: Stage) => openHost({ environment: env });

async function code(act: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return isPvusbError(error) ? error.code : String(error);
  }
}

describe('an opened host', () => {
  test('is the one that the environment names', async () => {
    await using stage = await openStage();
    await using host = await open(stage);
    const inventory = await observe(host);
    assert.ok(inventory.devices.some(({ serial }) => serial === 'LAB0001'));
    assert.ok(inventory.domains.some(({ name }) => name === 'u1'));
    assert.equal(host.qemuRunner, undefined, 'a real QEMU would be started for a simulated guest');
  });

  test('starts no QEMU when it is simulated: it would be given to a real guest', async () => {
    await using stage = await openStage();
    await using host = await open(stage);
    await assert.rejects(startQemu(host, { domain: 'u1' }), /this host is simulated/);
    await using real = await openHost({ environment: { ...stage.env, PVUSB_QMP: undefined } });
    assert.ok(real.qemuRunner);
  });

  test('is another one if an option says so', async () => {
    await using stage = await openStage();
    const sysfsRoot = `${stage.dir}/nowhere`;
    await using host = await openHost({ environment: stage.env, sysfsRoot });
    assert.equal(await code(() => observe(host)), 'sysfs-missing');
  });

  test('is closed at the end of its block, whether that ends normally or with an error', async () => {
    await using stage = await openStage();
    const hosts = [];
    {
      await using host = await open(stage);
      hosts.push(host);
    }
    await assert.rejects(async () => {
      await using host = await open(stage);
      hosts.push(host);
      throw new Error('out of the block');
    }, /out of the block/);
    assert.deepEqual(await Promise.all(hosts.map((host) => code(() => observe(host)))), [
      'connection-lost',
      'connection-lost',
    ]);
  });

  test('when closed, waits for what is being carried out', async () => {
    await using stage = await openStage();
    let attaching: Promise<unknown> | undefined;
    {
      await using host = await open(stage);
      await new Promise<void>((begun) => {
        attaching = attachDevice(
          host,
          { domain: 'u1', device: '4-1' },
          { onStep: () => begun(), watchMs: 0 },
        );
      });
    }
    await attaching;
    await using host = await open(stage);
    assert.deepEqual(
      (await listDevices(host)).map(({ busid }) => busid),
      ['4-1'],
    );
  });

  test('waits for what is being undone', async () => {
    await using stage = await openStage();
    const before = await stage.look();
    const giveUp = new AbortController();
    let ended: Promise<string | undefined> | undefined;
    {
      await using host = await open(stage);
      await new Promise<void>((begun) => {
        const onStep = (): void => {
          giveUp.abort();
          begun();
        };
        ended = code(() =>
          attachDevice(host, { domain: 'u1', device: '4-1' }, { onStep, signal: giveUp.signal }),
        );
      });
    }
    assert.equal(await stage.look(), before);
    assert.equal(await ended, 'aborted');
  });

  test('is closed only once, however often it is closed', async () => {
    await using stage = await openStage();
    await using host = await open(stage);
    await Promise.all([host.close(), host.close()]);
    await host.close();
    assert.equal(await code(() => observe(host)), 'connection-lost');
  });

  test('changes nothing after it is closed', async () => {
    await using stage = await openStage();
    const before = await stage.look();
    const host = await open(stage);
    await host.close();
    assert.equal(await code(() => attachDevice(host, { domain: 'u1', device: '4-1' })), 'connection-lost');
    assert.equal(await stage.look(), before);
  });

  test('ends a watch when it is closed', async () => {
    await using stage = await openStage();
    const host = await open(stage);
    let watching: Promise<string | undefined> | undefined;
    await new Promise<void>((begun) => {
      watching = code(() => watchDomains(host, { onEvent: () => begun() }));
    });
    await host.close();
    assert.equal(await watching, 'connection-lost');
  });

  test('lets the process end', async () => {
    await using stage = await openStage();
    const script = `
      const { openHost, observe } = await import(${JSON.stringify(MODULE)});
      const host = await openHost();
      await observe(host);
      await host.close();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, ...stage.env },
      stdio: 'inherit',
    });
    assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0);
  });

  test('is not opened if the caller aborts first', async () => {
    await using stage = await openStage();
    assert.equal(
      await code(() => openHost({ environment: stage.env, signal: AbortSignal.abort() })),
      'aborted',
    );
    const XENSTORED_PATH = `${stage.dir}/nothing`;
    const environment = { ...stage.env, XENSTORED_PATH };
    assert.equal(await code(() => openHost({ environment })), 'xenstore-unreachable');
  });
});
