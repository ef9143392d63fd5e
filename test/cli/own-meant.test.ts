/** Files that are not meant for a guest take nothing from it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { qemuWorld } from '../../src/sim/index.js';
import { differences, openMade, type Stage } from './stage.js';

describe('a file', () => {
  let stage: Stage;
  const file = (name: string, text: string): string => {
    writeFileSync(join(stage.dir, name), text);
    return join(stage.dir, name);
  };
  before(async () => {
    stage = await openMade(qemuWorld({ usbback: false }));
    for (const busid of ['3-2', '1-1', '4-1']) await stage.done('attach', 'u2', busid);
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Files that say nothing about the USB of u2, and why. */
  const NOT_MEANT: readonly (readonly [what: string, text: string, code: string, says: string])[] = [
    [
      'empty',
      '',
      'no-usb-settings',
      'names neither USB controllers (usbctrl) nor devices (usbdev) for u2 (domain 2).',
    ],
    ['comments only', '# u2\n', 'no-usb-settings', 'names neither'],
    ['a file that was cut', 'name = "u2"\nmemory = 256\n', 'no-usb-settings', 'names neither'],
    [
      "the devices of an HVM guest's QEMU",
      'name="u2"\nusb=1\nusbdevice=["tablet","host:046d:c52b"]\n',
      'no-usb-settings',
      ':3:11: usbdevice is not handled: it is for the QEMU of an HVM guest, when the guest starts.\n',
    ],
    [
      "another guest's",
      'name="h1"\nusbdev=["hostbus=1,hostaddr=2"]\n',
      'other-domain',
      'is for "h1", and not for u2 (domain 2)',
    ],
    ["another guest's, by its number", 'name=4\nusbctrl=[]\n', 'other-domain', 'is for "4"'],
    ["a guest's JSON without USB", '{ "c_info": { "name": "u2" } }', 'no-usb-settings', 'names neither'],
    ["another guest's JSON", '{ "c_info": { "name": "h1" }, "usbdevs": [] }', 'other-domain', '"h1"'],
    ['JSON of others', '{ "name": "u2" }', 'invalid-configuration', "is not libxl's"],
    [
      'a list without the guest',
      '[{ "domid": 4, "config": { "c_info": { "name": "h1" } } }]',
      'invalid-configuration',
      '0 are u2',
    ],
  ];

  for (const [what, text, code, says] of NOT_MEANT) {
    it(`that is not meant for the guest takes nothing from it: ${what}`, async () => {
      const before = await stage.look();
      const path = file('not-meant', text);
      for (const argv of [
        ['apply', 'u2', path],
        ['apply', 'u2', path, '--dry-run'],
        ['prepare', path, '--domain', 'u2', '--wait', '0'],
      ]) {
        const { status, stdout, stderr } = await stage.run(...argv);
        assert.deepEqual([status, stdout], [1, ''], stderr);
        assert.ok(stderr.endsWith(`(${code})\n`) && stderr.includes(says), stderr);
      }
      assert.deepEqual(differences(before, await stage.look()), []);
    });
  }

  it('everything is taken only when asked for explicitly: --take-all, or an empty list', async () => {
    const has = await stage.done('export', 'u2', '--json=libxl');
    for (const [text, ...options] of [
      ['', '--take-all'],
      ['usbctrl=[]'],
      ['name="u2"\nusbdev = [\n]\n'],
      ['{ "usbdevs": [] }'],
    ]) {
      const path = file('nothing', text!);
      const told = await stage.done('apply', 'u2', path, ...options);
      assert.match(told, /^([134]-\d is detached[^\n]*\n){3}Controller 0 of domain u2 is removed\.\n/);
      const exported = file('exported', await stage.done('export', 'u2'));
      assert.equal(await stage.done('apply', 'u2', exported), `Domain u2 matches ${exported}.\n`);
      await stage.done('apply', 'u2', file('before', has));
    }
  });

  it('a host device for the QEMU of an HVM guest is reported besides what is handled, an emulated one is not', async () => {
    for (const [devices, notes] of [
      ['["tablet"]', 0],
      ['["tablet", "host:046d:c52b"]', 1],
      ["'host:1.2'", 1],
    ] as const) {
      const path = file('hvm.cfg', `usbdevice=${devices}\nusb=1\nusbctrl=[]\n`);
      const { status, stderr } = await stage.run('apply', 'h1', path);
      assert.deepEqual([status, stderr.split('\n').length - 1], [0, notes], stderr);
    }
  });
});
