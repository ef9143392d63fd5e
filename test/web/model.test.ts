/** The parts of the page that only compute. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { StreamEvent } from '../../src/api/index.js';
import { give, takeBack } from '../../web/model/actions.js';
import { applyChange, type Change, withAnswers } from '../../web/model/apply.js';
import {
  formatSpeed,
  identityWords,
  kindOf,
  portTrouble,
  shown,
  socketRanges,
} from '../../web/model/format.js';
import { entryOf, entryOfAudit } from '../../web/model/journal.js';
import { type Step, type StepEvent, stepped } from '../../web/model/steps.js';
import { buildTree, compareBusids, matches } from '../../web/model/tree.js';
import { type Device, type Guest, NO_VIEW, placesOf, share, type View } from '../../web/model/view.js';
import { anyText } from '../support/any-text.js';

function device(busid: string, more: Partial<Device> = {}): Device {
  const bus = Number.parseInt(busid.replace('usb', ''), 10);
  return {
    ...{ busid, bus, address: 2, kind: 'device', vendorId: '46f4', productId: '0001', deviceClass: '00' },
    ...{ speedMbps: 480, interfaces: [], name: `Device ${busid}`, usedBy: '-', assignable: true },
    ...more,
  } as Device;
}

function guest(domid: number, ports: readonly (string | undefined)[]): Guest {
  const made = ports.map((busid, at) => ({ port: at + 1, ...(busid === undefined ? {} : { busid }) }));
  const controller = { domid, devid: 0, type: 'pv', version: 2, ports: made, strayPorts: [] };
  return { domid, name: `g${domid}`, alive: true, controllers: [controller] } as unknown as Guest;
}

const VIEW: View = {
  ...NO_VIEW,
  devices: [
    device('usb1', { kind: 'root-hub', bus: 1 }),
    device('1-2'),
    device('1-10', { kind: 'hub' }),
    device('1-10.3'),
  ],
  guests: [guest(1, ['1-2', undefined]), guest(2, [undefined])],
};

describe('the tree of the host', () => {
  const treeOf = ({ devices, gone, guests }: View) => buildTree(devices, gone, placesOf(guests));

  it('has what is behind a hub below it, in the order of sockets', () => {
    const [bus, ...more] = treeOf(VIEW);
    assert.equal(more.length, 0);
    assert.deepEqual(
      bus!.children.map(({ busid, socket }) => [busid, socket]),
      [
        ['1-2', '2'],
        ['1-10', '10'],
      ],
    );
    assert.deepEqual(
      bus!.children[1]!.children.map(({ busid }) => busid),
      ['1-10.3'],
    );
    assert.equal(bus!.children[0]!.place?.guest.domid, 1);
  });

  it('keeps what was pulled out, and what a port still names', () => {
    const change: Change = { change: 'device-unplugged', device: VIEW.devices[1]! };
    const after = applyChange(VIEW, change);
    const [bus] = treeOf(after);
    const [node] = bus!.children;
    assert.deepEqual([node!.busid, node!.device, node!.gone?.name], ['1-2', undefined, 'Device 1-2']);
    assert.equal(portTrouble(node!.place!.port)?.word, 'pulled out');
    const [other] = treeOf({ ...NO_VIEW, guests: [guest(1, ['7-1'])] });
    assert.equal(other!.children[0]!.busid, '7-1');
  });

  it('knows which sockets of controllers and hubs are free; both halves of a USB 3 socket are taken at once', () => {
    const [bus, other] = treeOf({
      ...NO_VIEW,
      devices: [
        device('usb1', { kind: 'root-hub', bus: 1, sockets: 4 }),
        device('usb2', { kind: 'root-hub', bus: 2, sockets: 2 }),
        device('1-2', { kind: 'hub', sockets: 3 }),
        device('1-2.3'),
        device('1-4', { peer: '2-2' as Device['busid'] }),
      ],
    });
    assert.deepEqual(bus!.free, ['1', '3']);
    assert.deepEqual(bus!.children[0]!.free, ['2.1', '2.2']);
    assert.deepEqual(bus!.children[1]!.free, [], 'what is no hub has none');
    assert.deepEqual(other!.free, ['1']);
    assert.equal(socketRanges(['1', '3', '4', '5', '9']), '1, 3–5, 9');
    assert.equal(socketRanges(['2.1', '2.2']), '2.1–2.2');
  });

  it('has every device once, whatever they are called', () => {
    const busids = fc.uniqueArray(fc.stringMatching(/^[1-9]-[1-9](\.[1-9]){0,3}$/), { maxLength: 30 });
    fc.assert(
      fc.property(busids, (names) => {
        const found: string[] = [];
        const walk = (nodes: ReturnType<typeof treeOf>[number]['children']): void => {
          for (const { busid, children } of nodes) {
            found.push(busid);
            walk(children);
          }
        };
        for (const { children } of treeOf({ ...NO_VIEW, devices: names.map((name) => device(name)) }))
          walk(children);
        assert.deepEqual(found.sort(), [...names].sort());
      }),
    );
  });

  it('is searched by name, ids, and guest', () => {
    const [bus] = treeOf(VIEW);
    assert.ok(matches(bus!.children[0]!, '46f4 g1'));
    assert.ok(matches(bus!.children[1]!, 'device 1-10.3'), 'a hub with what is behind it');
    assert.ok(!matches(bus!.children[0]!, 'g2'));
    assert.ok(compareBusids('3-2', '3-10') < 0);
  });
});

describe('events', () => {
  it('change what is shown at once', () => {
    const at = { domid: 2, devid: 0, port: 1, busid: '1-10.3' as Device['busid'] };
    const attached = applyChange(VIEW, { change: 'attached', ...at });
    assert.equal(attached.guests[1]!.controllers[0]!.ports[0]!.busid, '1-10.3');
    assert.equal(attached.guests[0], VIEW.guests[0], 'the other guest is the same object');
    const detached = applyChange(attached, { change: 'detached', ...at });
    assert.deepEqual(detached.guests[1]!.controllers[0]!.ports[0], { port: 1 });
    const back = applyChange(applyChange(VIEW, { change: 'device-unplugged', device: VIEW.devices[1]! }), {
      change: 'device-plugged',
      device: VIEW.devices[1]!,
    });
    assert.deepEqual(back.gone, []);
    assert.equal(back.guests[0]!.controllers[0]!.ports[0]!.missing, undefined);
    assert.equal(withAnswers(VIEW, { guests: [] }).guests.length, 0);
  });

  it('are told in sentences', () => {
    const event: StreamEvent = {
      event: 'change',
      change: { change: 'device-unplugged', device: VIEW.devices[1]! },
    };
    assert.equal(entryOf(event, VIEW)?.text, 'Device 1-2 (1-2) was pulled out.');
    assert.equal(entryOf({ event: 'start' }, VIEW), undefined);
    assert.equal(entryOfAudit({ what: 3 }), undefined);
    const entry = {
      time: 'T',
      what: 'attach',
      who: { name: 'root' },
      devices: ['1-2'],
      guests: [{ domid: 1, name: 'g1' }],
    };
    assert.equal(entryOfAudit(entry)?.text, 'root: attach 1-2 g1.');
  });

  it('tick off the steps of an operation', () => {
    const event = (why: string, phase: StepEvent['phase']): StepEvent => ({
      ...{ event: 'step', operation: 'o', step: 1, steps: 2 },
      ...{ why, phase },
    });
    const planned: Step[] = [
      { why: 'claim', phase: 'waiting' },
      { why: 'bind', phase: 'waiting' },
    ];
    const events = [
      event('claim', 'begin'),
      event('claim', 'done'),
      event('bind', 'begin'),
      event('bind', 'failed'),
    ];
    const failed = [...events, event('claim', 'undo'), event('tidy', 'begin')].reduce<readonly Step[]>(
      stepped,
      planned,
    );
    assert.deepEqual(failed, [
      { why: 'claim', phase: 'undone' },
      { why: 'bind', phase: 'failed' },
      { why: 'tidy', phase: 'begun' },
    ]);
  });
});

describe('what is equal', () => {
  it('stays the same object, and nothing else does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        assert.deepEqual(share(one, structuredClone(other)), other);
        const copy = structuredClone(one);
        if (JSON.stringify(one) === JSON.stringify(copy)) assert.equal(share(one, copy), one);
      }),
    );
  });

  it('is found by what it is called, wherever it stands', () => {
    const before = [device('1-1'), device('1-2')];
    const [first, second] = share(before, [device('1-0'), device('1-2')]);
    assert.equal(second, before[1]);
    assert.notEqual(first, before[0]);
  });
});

describe('words', () => {
  it('show nothing that cannot be seen, or turns a text around', () => {
    fc.assert(
      fc.property(anyText(), (text) => assert.doesNotMatch(shown(text), /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)),
    );
    assert.equal(shown('a\u202eb'), 'a\\u{202e}b');
  });

  it('say what a device is', () => {
    const of = (classes: string): string =>
      kindOf(
        device('1-1', {
          interfaces: [{ id: '1-1:1.0', number: 0, classes }] as unknown as Device['interfaces'],
        }),
      ).word;
    assert.deepEqual(['08/06/50', '03/01/01', '03/01/02', 'e0/01/01', '02/02/01', 'ff/00/00'].map(of), [
      ...['storage', 'keyboard', 'mouse', 'Bluetooth', 'serial', 'USB device'],
    ]);
    assert.deepEqual([1.5, 480, 5000, 0].map(formatSpeed), ['1.5 Mbit/s', '480 Mbit/s', '5 Gbit/s', '']);
    assert.match(identityWords(['serial']), /serial number/);
  });
});

describe('an action', () => {
  it('is undone by its opposite, and a controller that came along goes again', () => {
    const action = give(VIEW, { busid: '1-10.3', domid: 2, always: false })!;
    const result = { domid: 2, devid: 0, port: 1, busid: '1-10.3' };
    const undo = action.undo!([{ operation: 'o', dryRun: false, plans: [], result } as never]);
    assert.deepEqual(undo.calls, [{ route: 'detach', body: { domain: 2, devid: 0, port: 1 } }]);
    const fresh = action.undo!([
      { operation: 'o', dryRun: false, plans: [], result: { ...result, devid: 1 } } as never,
    ]);
    assert.deepEqual(fresh.calls, [{ route: 'controllerRemove', body: { domain: 2, devid: 1 } }]);
    const back = takeBack(VIEW, { busid: '1-2', domid: 1, devid: 0, port: 1 });
    assert.deepEqual(back.undo!([]).calls, [
      { route: 'attach', body: { domain: 1, device: '1-2', devid: 0, port: 1 } },
    ]);
    assert.equal(takeBack(VIEW, { busid: '9-9', domid: 1, devid: 0, port: 2 }).verb, 'Free the port');
    assert.equal(give(VIEW, { busid: '1-2', always: true }), undefined);
  });
});
