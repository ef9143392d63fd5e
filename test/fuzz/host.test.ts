/** Generated hosts: sysfs trees, xenstore trees and a daemon that answers garbage. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import {
  describeFinding,
  diagnose,
  formatPlan,
  type Host,
  isPvusbError,
  observe,
  planAttach,
  planDetach,
  planRemoveController,
  planRepair,
} from '../../src/pvusb/index.js';
import { kernelError, SimStore } from '../../src/sim/index.js';
import { Sysfs, SysfsError, type SysfsFiles } from '../../src/sysfs/index.js';
import {
  type Transport,
  type TransportEvents,
  XenstoreClient,
  XenstoreError,
} from '../../src/xenstore/index.js';
import { encodeMessage, HEADER_BYTES } from '../../src/xenstore/wire.js';
import { controlCharacter, type Dice, fuzz } from './fuzz.js';

const ERRNOS = ['EIO', 'ENOENT', 'ENODEV', 'EACCES', 'EPROTO', 'ENOTDIR', 'EINVAL'] as const;

describe('generated hosts', () => {
  it('are scanned into printable devices, or a SysfsError', () =>
    fuzz('sysfs trees', 4_000, async (dice) => {
      try {
        const devices = await new Sysfs(randomFiles(dice)).devices();
        assert.equal(controlCharacter(devices), undefined);
        for (const { busid, interfaces } of devices)
          for (const { id } of interfaces)
            assert.ok(id.startsWith(`${busid.replace(/^usb(\d+)$/, '$1-0')}:`), `${id} of ${busid}`);
      } catch (error) {
        if (!(error instanceof SysfsError)) throw error;
      }
    }));

  it('settle every call when the daemon answers garbage', () =>
    fuzz('daemons that answer garbage', 6_000, async (dice) => {
      const client = new XenstoreClient(garbageTransport(dice), { random: () => 0 });
      const abort = new AbortController();
      const options = { signal: abort.signal };
      const calls = [
        () => client.read('/a', options),
        () => client.directory('/a', options),
        () => client.permissions('/a', options),
        () => client.readMany(['/a', '/b', '/c'], options),
        () => client.transaction((view) => view.write('/a', 'x', options), { ...options, attempts: 3 }),
        () => client.watch('/a', options).then((watch) => watch.close()),
        () => client.domainPath(1, options),
      ];
      const asked = Array.from({ length: 1 + dice.int(3) }, () => dice.pick(calls)());
      const ended = Promise.allSettled(asked);
      await Promise.race([ended, someTurns()]);
      // What the garbage does not end, the caller's abort ends; what even that does not end, the end of the connection
      // does.
      abort.abort(new XenstoreError('protocol', 'test', undefined, 'given up'));
      await Promise.race([ended, someTurns()]);
      client.close();
      for (const result of await ended) {
        if (result.status === 'rejected' && !(result.reason instanceof XenstoreError)) throw result.reason;
      }
      assert.equal(client.pendingCount, 0);
    }));

  it('are observed, diagnosed and planned for, or a PvusbError', () =>
    fuzz('store trees', 1_500, async (dice) => {
      const store = new SimStore();
      await growTree(store, dice);
      const xenstore = new XenstoreClient(store.connect(0), { random: () => 0 });
      const host: Host = { xenstore, sysfs: new Sysfs(randomFiles(dice)), clock: systemClock };
      try {
        const inventory = await observe(host);
        JSON.stringify(inventory);
        const findings = diagnose(inventory);
        const plans = findings.map((finding) => planRepair(inventory, finding));
        for (const finding of findings) assert.equal(controlCharacter(describeFinding(finding)), undefined);
        for (const controller of inventory.controllers) {
          for (const port of controller.ports) plans.push(planDetach(inventory, { controller, port }));
          for (const destroy of [false, true])
            tryPlan(() => plans.push(planRemoveController(inventory, controller, { destroy })));
        }
        for (const domain of inventory.domains)
          for (const device of inventory.devices)
            tryPlan(() => plans.push(planAttach(inventory, domain, device, {}).plan));
        for (const plan of plans)
          assert.equal(controlCharacter(formatPlan(plan, { undo: true }).split('\n')), undefined);
      } catch (error) {
        if (!isPvusbError(error) || error.code === 'internal') throw error;
      } finally {
        xenstore.close();
      }
    }));
});

/** Long enough for whatever garbage is on its way: nothing here really waits. */
async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function tryPlan(plan: () => void): void {
  try {
    plan();
  } catch (error) {
    if (!isPvusbError(error)) throw error;
  }
}

/** Files that may or may not exist, contain anything, and sometimes fail. */
function randomFiles(dice: Dice): SysfsFiles {
  const names = ['usb1', '1-1', '1-1:1.0', '1-1:1.1', '1-2', '1-2:1.0', '2-1.4', '2-1.4:1.0', '1-0:1.0'];
  const listed = names.filter(() => dice.chance(0.8));
  for (let i = dice.int(4); i > 0; i--) listed.push(dice.text());
  const faulty = dice.chance(0.3) ? 0.05 : 0;
  const fail = (path: string): void => {
    if (dice.chance(faulty)) throw kernelError(dice.pick(ERRNOS) as 'EIO', 'read', path);
  };
  const good = (path: string): string => {
    const attribute = path.slice(path.lastIndexOf('/') + 1);
    if (/num$/.test(attribute)) return `${1 + dice.int(130)}\n`;
    if (/^id/.test(attribute)) return '46f4\n';
    if (/Class|Protocol/.test(attribute)) return '08\n';
    return `${dice.text()}\n`;
  };
  return {
    async list(path) {
      fail(path);
      return path.endsWith('devices') ? listed : [];
    },
    async readText(path) {
      fail(path);
      return dice.chance(0.97) ? good(path) : dice.bytes(60).toString('latin1');
    },
    async readBytes(path) {
      fail(path);
      return dice.bytes(60);
    },
    async readLink(path) {
      fail(path);
      if (dice.chance(0.2)) throw kernelError('ENOENT', 'readlink', path);
      return dice.pick([
        '../../drivers/usbback',
        '../../drivers/usbhid',
        '../../drivers/usb-storage',
        dice.text(),
      ]);
    },
    async writeText() {},
  };
}

/** A daemon that answers each request with something: the right type with junk, another type, an errno, noise. */
function garbageTransport(dice: Dice): Transport {
  let events: TransportEvents | undefined;
  let over = false;
  const end = (cause?: Error): void => {
    if (over) return;
    over = true;
    queueMicrotask(() => events?.closed(cause));
  };
  const answer = (request: Buffer): Buffer => {
    const type = request.readUInt32LE(0);
    const requestId = request.readUInt32LE(4);
    const reply = (replyType: number, payload: Buffer, id = requestId): Buffer =>
      encodeMessage({ type: replyType, requestId: id, transactionId: 0, payload });
    const roll = dice.next();
    if (roll < 0.4) return reply(type, dice.chance(0.5) ? Buffer.from(`${dice.int(99)}\0`) : dice.bytes(30));
    if (roll < 0.5)
      return reply(16, Buffer.from(`${dice.pick(['ENOENT', 'EAGAIN', 'E2BIG', 'EIO', dice.text()])}\0`));
    if (roll < 0.6) return reply(15, Buffer.from(`${dice.text()}\0w1\0`));
    if (roll < 0.65) return reply(dice.int(30), dice.bytes(20));
    if (roll < 0.7) return reply(type, dice.bytes(10), dice.int(9));
    if (roll < 0.75) return dice.bytes(40);
    return Buffer.alloc(0);
  };
  return {
    start: (told) => {
      events = told;
    },
    send(messages) {
      for (let at = 0; at < messages.length; ) {
        const length = messages.readUInt32LE(at + 12);
        const bytes = answer(messages.subarray(at, at + HEADER_BYTES + length));
        at += HEADER_BYTES + length;
        queueMicrotask(() => {
          if (!over && bytes.length > 0) events?.bytes(bytes);
        });
      }
      if (dice.chance(0.1)) end(new Error('noise'));
    },
    close: () => end(),
  };
}

/** Nodes as toolstacks and guests write them: right, wrong and incomplete. */
async function growTree(store: SimStore, dice: Dice): Promise<void> {
  const dom0 = store.handle(0);
  const name = (): string => dice.pick(['0', '1', '2', '7', '01', '4294967295', 'x', '-1', '65536']);
  const value = (): string =>
    dice.chance(0.6)
      ? dice.pick(['', '1', '2', '4', '6', '0', 'pv', 'qusb', '8', '31', '99', '1-1', '1-2', '2-1.4'])
      : dice.text().slice(0, 1000);
  for (let i = 0; i < 4; i++) {
    const [domid, devid] = [name(), name()];
    const kind = dice.pick(['vusb', 'qusb']);
    const backend = `/local/domain/0/backend/${kind}/${domid}/${devid}`;
    const record = `/libxl/${domid}/device/vusb/${devid}`;
    const nodes: [string, string][] = [
      [`/local/domain/${domid}/name`, value()],
      [`${record}/backend`, dice.chance(0.85) ? backend : value()],
      [`${record}/type`, dice.chance(0.8) ? (kind === 'vusb' ? 'pv' : 'qusb') : value()],
      [`${record}/usb-ver`, dice.chance(0.8) ? '2' : value()],
      [`${record}/num-ports`, dice.chance(0.8) ? '3' : value()],
      [`${backend}/online`, dice.chance(0.8) ? '1' : value()],
      [`${backend}/state`, dice.chance(0.7) ? '4' : value()],
      ...['1', '2', '3', '9', 'x'].map((port): [string, string] => [`${backend}/port/${port}`, value()]),
      ...['state', 'event-channel', 'urb-ring-ref'].map((key): [string, string] => [
        `/local/domain/${domid}/device/vusb/${devid}/${key}`,
        value(),
      ]),
      ['/libxl/usbback/1-1/1-1@1_0/driver_path', dice.pick(['/sys/bus/usb/drivers/usbhid', '/etc', value()])],
      ['/libxl/usbback/2-1_4/device', value()],
      ['/libxl/usbback/1-2/port', dice.pick([`${backend}/port/1`, value()])],
      ['/libxl/usbback/nonsense/x/driver_path', value()],
    ];
    for (const [path, text] of nodes) if (dice.chance(0.85)) await dom0.write(path, text);
  }
}
