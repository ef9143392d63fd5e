/** Whatever in a configuration is not ours comes back as it was: random documents, and difficult ones. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SavedConfig, SavedController, SavedDevice } from '../../src/libxl/index.js';
import { anyText } from '../support/any-text.js';
import { config, textOf } from './support.js';

const HEX = [...'0123456789abcdefABCDEF'];
const digits = fc.array(fc.constantFrom(...'0123456789'), { minLength: 1, maxLength: 25 });

const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constantFrom('0', '18446744073709551615', '9223372036854775808', '9007199254740993'),
      digits.map((all) => all.join('').replace(/^0+(?=.)/, '')),
    ),
    fc.oneof(
      fc.constant(''),
      digits.map((all) => `.${all.join('')}`),
    ),
    fc.oneof({ weight: 3, arbitrary: fc.constant('') }, fc.constantFrom('e5', 'E-400', 'e+07')),
  )
  .map((parts) => parts.join(''));

const character = fc.oneof(
  anyText({ minLength: 1, maxLength: 4 }).map((text) => JSON.stringify(text).slice(1, -1)),
  fc.constantFrom('\\/', '\\"', '\\\\', '\\b', '\\u0000', '\\ud800', '\u2028', '\u007f', '😀', '{', ']', ','),
  fc.array(fc.constantFrom(...HEX), { minLength: 4, maxLength: 4 }).map((hex) => `\\u${hex.join('')}`),
);
const string = fc.array(character, { maxLength: 6 }).map((parts) => `"${parts.join('')}"`);

const space = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  fc.stringMatching(/^[ \t\r\n]{1,4}$/),
  fc.constantFrom(' ', '\n', '\n    ', '\r\n\t'),
);

/** Things between brackets, with any white space around them. */
function listed(item: fc.Arbitrary<string>, open: string, close: string): fc.Arbitrary<string> {
  return fc.tuple(space, fc.array(fc.tuple(space, item, space), { maxLength: 5 })).map(([inside, items]) => {
    const all = items.map((parts) => parts.join('')).join(',');
    return `${open}${items.length === 0 ? inside : all}${close}`;
  });
}

const { member } = fc.letrec<{ value: string; member: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    number,
    string,
    fc.constantFrom('true', 'false', 'null'),
    listed(tie('value'), '[', ']'),
    listed(tie('member'), '{', '}'),
  ),
  member: fc.tuple(string, space, space, tie('value')).map(([key, before, after, held]) => {
    return `${key}${before}:${after}${held}`;
  }),
}));

const root = fc
  .tuple(
    space,
    listed(fc.oneof(member, fc.constantFrom('"on_reboot": "restart"', '"on_crash":1')), '{', '}'),
    space,
  )
  .map((parts) => parts.join(''));
const ending = fc.constantFrom('', '\0', '\0\n');

const controller: fc.Arbitrary<SavedController> = fc.record({
  devid: fc.integer({ min: -1, max: 40 }),
  type: fc.constantFrom('auto', 'pv', 'qusb', 'devicemodel'),
  version: fc.option(fc.constantFrom(0, 1, 2, 3), { nil: undefined }),
  ports: fc.option(fc.integer({ min: 0, max: 31 }), { nil: undefined }),
  backendDomid: fc.option(fc.integer({ min: 0, max: 0xffff_ffff }), { nil: undefined }),
  backendDomname: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
});
const device: fc.Arbitrary<SavedDevice> = fc.record({
  ctrl: fc.integer({ min: -1, max: 40 }),
  port: fc.integer({ min: 0, max: 31 }),
  hostbus: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
  hostaddr: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
});

const RUNS = { numRuns: 1500 };

/** The document without our two arrays, according to a parser that is not ours. */
function others(text: string): unknown {
  const { usbctrls: _, usbdevs: __, ...rest } = JSON.parse(text.replace(/\0\n?$/, ''));
  return rest;
}

function nested(depth: number): string {
  return `{"deep": ${'[{"a":'.repeat(depth)}0${'}]'.repeat(depth)}}`;
}

const HARD: Readonly<Record<string, string>> = {
  '64-bit integers': '{"max_memkb": 18446744073709551615, "shadow_memkb": -9223372036854775808}\0',
  'floats as they are written': '{"a": 1.10, "b": 1e400, "c": -0.0, "d": 1E+2, "e": 0.1000000000000000055}\0',
  'escapes as they are written':
    '{"a": "\\/ \\u0041 \\ud83d\\ude00 \\ud800 \\u0000", "\\u0062": "é😀\u2028"}\0',
  'a key twice': '{"a": 1, "a": 2, "on_reboot": 1, "on_reboot": 2}\0',
  'our keys elsewhere': '{"b_info": {"usbctrls": 7, "usbdevs": {"x": null}}, "x": ["usbdevs"]}\0',
  'tabs and carriage returns': '{\r\n\t"a": 1,\r\n\t"on_crash": "preserve"\r\n}\r\n\0',
  'no white space': '{"a":1,"on_crash":"preserve"}',
  'white space before commas': '{ "a" : 1 , "on_crash" : 2 , "z" : 3 }',
  'nothing but an object': '{}',
  'an empty object of libxl': '{\n\n}\n\0',
  'nesting of 100000 levels': nested(50_000),
  'a string of a megabyte': `{"a": "${'x\\n'.repeat(350_000)}"}`,
};

function addedAndRemoved(saved: SavedConfig, one: SavedController, two: SavedDevice): SavedConfig {
  return saved
    .withController(one)
    .withDevice(two)
    .withController({ ...one, devid: one.devid + 1 })
    .withDevice({ ...two, port: two.port + 1 })
    .withoutController(one.devid)
    .withoutDevice(two.ctrl, two.port)
    .withoutDevice(two.ctrl, two.port + 1)
    .withoutController(one.devid + 1);
}

describe('a configuration', () => {
  for (const [what, text] of Object.entries(HARD)) {
    it(`comes back byte for byte, and after adding and removing: ${what}`, () => {
      const saved = config(text);
      assert.ok(saved.toBytes().equals(Buffer.from(text)));
      const back = addedAndRemoved(
        saved,
        { devid: 0, type: 'pv', ports: 4 },
        { ctrl: 0, port: 1, hostbus: 3 },
      );
      assert.ok(back.toBytes().equals(Buffer.from(text)), textOf(back).slice(0, 500));
    });
  }

  it('of any content comes back byte for byte, and after adding and removing', () => {
    fc.assert(
      fc.property(root, ending, controller, device, (document, end, one, two) => {
        const text = document + end;
        const saved = config(text);
        assert.equal(textOf(saved), text.replaceAll('\0', '<NUL>'));
        assert.deepEqual([saved.controllers, saved.devices], [[], []]);
        assert.equal(textOf(addedAndRemoved(saved, one, two)), textOf(saved));
      }),
      RUNS,
    );
  });

  it('of any content has what is put into it, and nothing else changes', () => {
    const edits = fc.array(fc.oneof(controller, device), { maxLength: 8 });
    fc.assert(
      fc.property(root, ending, edits, (document, end, list) => {
        const before = others(document);
        let saved = config(document + end);
        const [controllers, devices] = [new Map<string, unknown>(), new Map<string, unknown>()];
        for (const entry of list) {
          if ('devid' in entry) {
            saved = saved.withController(entry);
            controllers.set(`${entry.devid}`, told(entry));
          } else {
            saved = saved.withDevice(entry);
            devices.set(`${entry.ctrl}.${entry.port}`, told(entry));
          }
        }
        assert.deepEqual(saved.controllers, [...controllers.values()]);
        assert.deepEqual(saved.devices, [...devices.values()]);
        assert.deepEqual(others(saved.toBytes().toString()), before);
      }),
      RUNS,
    );
  });
});

/** The entry without what libxl leaves out. */
function told(entry: object): object {
  const always = ['devid', 'type', 'ctrl', 'port'];
  return Object.fromEntries(
    Object.entries(entry).filter(
      ([key, field]) => always.includes(key) || (field !== undefined && field !== 0 && field !== ''),
    ),
  );
}
