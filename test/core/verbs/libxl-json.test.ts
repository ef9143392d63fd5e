/** libxl's own JSON, as output and input. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openUserdata } from '../../../src/libxl/index.js';
import {
  attachDevice,
  controllerInfo,
  libxlControllerInfo,
  libxlDomains,
  libxlUsb,
  observe,
  type PvusbError,
  parseLibxlUsb,
} from '../../../src/pvusb/index.js';
import { labWorld } from '../../../src/sim/index.js';
import { failure, openSimulated } from '../support/test-host.js';

const { uuid } = labWorld().domains[0]!;

/** As libxl writes it, with a number that does not fit into a double, and an entry for a device that is not attached. */
const SAVED = `{
    "c_info": {
        "type": "pv",
        "name": "u1",
        "uuid": "${uuid}"
    },
    "b_info": {
        "max_memkb": 18446744073709551615
    },
    "usbdevs": [
        {
            "ctrl": 0,
            "port": 4,
            "type.hostdev": {
                "hostbus": 3,
                "hostaddr": 2
            }
        }
    ],
    "on_crash": "preserve"
}
\0`;

describe("domains in libxl's JSON", () => {
  test('are what libxl stores, with what they have now, and no digit is lost', async (t) => {
    await using lab = await openSimulated();
    const root = mkdtempSync(join(tmpdir(), 'pvusb-json-'));
    t.after(() => rmSync(root, { recursive: true }));
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    writeFileSync(join(root, `userdata-d.1.${uuid}.libxl-json`), SAVED, { mode: 0o600 });
    const host = { ...lab.host, userdata: openUserdata({ root }) };
    const [domain] = await libxlDomains(host, { domain: 1 });
    assert.equal(domain?.domid, 1);
    assert.match(domain.config, /"max_memkb": 18446744073709551615/);
    const config = JSON.parse(domain.config);
    assert.deepEqual(Object.keys(config), ['c_info', 'b_info', 'usbctrls', 'usbdevs', 'on_crash']);
    assert.deepEqual(config.usbctrls, [{ type: 'pv', devid: 0, version: 2, ports: 8 }]);
    assert.deepEqual(config.usbdevs, [{ ctrl: 0, port: 1, 'type.hostdev': { hostbus: 4, hostaddr: 2 } }]);
  });

  test('that libxl did not build have a name, a type, a uuid and their USB', async () => {
    await using lab = await openSimulated();
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    const all = await libxlDomains(lab.host);
    assert.deepEqual(
      all.map(({ domid }) => domid),
      labWorld().domains.map(({ domid }) => domid),
    );
    const config = JSON.parse(all[0]!.config);
    assert.deepEqual(config.c_info, { type: 'pv', name: 'u1', uuid });
    assert.equal(config.usbdevs.length, 1);
    assert.equal((await failure(() => libxlDomains(lab.host, { domain: 99 }))).code, 'no-such-domain');
  });

  test('whose file is broken do not hide the others', async (t) => {
    await using lab = await openSimulated();
    const root = mkdtempSync(join(tmpdir(), 'pvusb-json-'));
    t.after(() => rmSync(root, { recursive: true }));
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    writeFileSync(join(root, `userdata-d.1.${uuid}.libxl-json`), 'no JSON', { mode: 0o600 });
    const host = { ...lab.host, userdata: openUserdata({ root }) };
    const [broken, ...others] = await libxlDomains(host);
    assert.match(broken?.problem ?? '', / of u1 \(domain 1\)\.$/);
    assert.equal(JSON.parse(broken!.config).usbdevs.length, 1);
    assert.ok(others.length > 0 && others.every(({ problem }) => problem === undefined));
    assert.equal((await failure(() => libxlDomains(host, { domain: 1 }))).code, 'config-unusable');
  });

  test('say the same when read back, in every form that libxl has', async () => {
    await using lab = await openSimulated();
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    const inventory = await observe(lab.host);
    const text = libxlUsb(inventory, inventory.domains.find(({ domid }) => domid === 1)!);
    const expected = {
      name: 'u1',
      controllers: [
        {
          devid: 0,
          type: 'pv',
          version: 2,
          ports: 8,
          said: 'usbctrls, controller 0',
        },
      ],
      devices: [{ device: '4.2', devid: 0, port: 1, said: 'usbdevs, port 1 of controller 0' }],
    };
    assert.deepEqual(parseLibxlUsb(text), expected);
    assert.deepEqual(parseLibxlUsb(`${text}\0`), expected);
    const entry = `{ "domid": 1, "config": ${text} }`;
    const other = '{ "domid": 2, "config": { "c_info": { "name": "u2" } } }';
    assert.deepEqual(parseLibxlUsb(entry), expected);
    assert.deepEqual(parseLibxlUsb(`[${entry}]`), expected);
    assert.deepEqual(parseLibxlUsb(`[${other}, ${entry}]`, 'u1'), expected);
    assert.deepEqual(parseLibxlUsb(`[${other}, ${entry}]`, 1), expected);
    // A missing list does not ask for nothing.
    assert.deepEqual(parseLibxlUsb(`[${other}, ${entry}]`, 'u2'), { name: 'u2' });
    const empty = libxlUsb(inventory, inventory.domains.find(({ domid }) => domid === 2)!);
    assert.deepEqual(parseLibxlUsb(empty), { name: 'u2', controllers: [], devices: [] });
  });

  test('that leave the choice to libxl leave it to us', () => {
    const text = '{ "usbctrls": [ {} ], "usbdevs": [ { "type.hostdev": { "hostbus": 1, "hostaddr": 2 } } ] }';
    const { controllers = [], devices = [] } = parseLibxlUsb(text);
    const [controller] = controllers;
    assert.deepEqual([controller?.devid, controller?.type, controller?.ports], [0, 'auto', undefined]);
    assert.deepEqual(
      [devices[0]?.device, devices[0]?.devid, devices[0]?.port],
      ['1.2', undefined, undefined],
    );
  });

  for (const [why, text, says, domain] of [
    ['no JSON', '{ "usbdevs": [', /JSON/],
    ['no object', '3', /is not libxl's/],
    ['an object that is something else', '{ "controllers": [] }', /is not libxl's/],
    ['a list of something else', '[ {} ]', /is not libxl's/],
    ["another guest's", '[ { "domid": 2, "config": { "c_info": {} } } ]', /none|0 are/, 'u1'],
    ['a device without address', '{ "usbdevs": [ {} ] }', /hostbus and hostaddr/],
    ['several domains and no name', '[ {}, {} ]', /2 domains/],
    ['impossible numbers', '{ "usbctrls": [ { "devid": "x" } ] }', /integer/],
  ] satisfies [string, string, RegExp, string?][]) {
    test(`that are ${why} are refused`, () => {
      assert.throws(
        () => parseLibxlUsb(text, domain),
        (error: PvusbError) => error.code === 'invalid-configuration' && says.test(error.message),
      );
    });
  }
});

test("a controller in libxl's JSON has the fields of libxl_usbctrlinfo", async () => {
  await using lab = await openSimulated();
  await lab.add(1, 3);
  await lab.sim.idle();
  const info = libxlControllerInfo(await controllerInfo(lab.host, { domain: 1, devid: 0 }));
  const { evtch, ref_urb, ref_conn, ...rest } = info;
  assert.ok([evtch, ref_urb, ref_conn].every(Number.isInteger));
  assert.deepEqual(rest, {
    type: 'pv',
    devid: 0,
    version: 2,
    ports: 3,
    backend: '/local/domain/0/backend/vusb/1/0',
    backend_id: 0,
    frontend: '/local/domain/1/device/vusb/0',
    frontend_id: 1,
    state: 4,
  });
});
