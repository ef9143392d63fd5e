/** USB settings that are refused: the code, the exact place, and the message. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseUsbSettings, type XlCfgErrorCode } from '../../src/xlcfg/index.js';
import { assertRefused } from './refused.js';

type Row = readonly [text: string, code: XlCfgErrorCode, line: number, column: number, said?: RegExp];

const KINDS: readonly Row[] = [
  ['usbctrl = "type=pv"', 'not-a-list', 1, 11, /usbctrl is a list/],
  ['a=1\nusbdev = 5', 'not-a-list', 2, 10, /usbdev is a list/],
  ['usbctrl=[4]', 'not-a-string', 1, 10, /in quotes/],
  ['usbctrl=["", ["type=pv"]]', 'not-a-string', 1, 14],
  ['usbctrl="x"\nusbctrl+=["type=pv"]', 'append-mismatch', 2, 10],
  [String.raw`usbctrl=["ports=\x34"]`, 'bad-escape', 1, 17, /"\\x"/],
  [String.raw`usbctrl=["ports=\64"]`, 'bad-escape', 1, 17],
  [String.raw`usbctrl=["\"\"\d"]`, 'bad-escape', 1, 15],
  [String.raw`usbctrl=["ports=4,\ttype=pv"]`, 'unknown-key', 1, 19],
];

const KEYS: readonly Row[] = [
  ['usbctrl=["port=4"]', 'unknown-key', 1, 11, /"port=4" in a usbctrl specification: it has type, version/],
  ['usbctrl=["type"]', 'unknown-key', 1, 11],
  ['usbctrl=["Type=pv"]', 'unknown-key', 1, 11],
  ['usbctrl=["type=pv, ports =4"]', 'unknown-key', 1, 20, /"ports =4"/],
  ['usbctrl=["type=pv;ports=4"]', 'bad-type', 1, 16],
  ['usbctrl=["type=pv, "]', 'unknown-key', 1, 20, /string ""/],
  ['usbctrl=["=4"]', 'unknown-key', 1, 11],
  ['usbctrl=["\tports=4"]', 'unknown-key', 1, 11, /"\\u\{9\}ports=4"/],
  ['usbctrl=["",\n  "version=2,hostbus=1"]', 'unknown-key', 2, 14],
  ['usbctrl=["__proto__=1"]', 'unknown-key', 1, 11],
  ['usbctrl=["\u202egnp=1"]', 'unknown-key', 1, 11, /"\\u\{202e\}gnp=1"/],
  ['usbdev=["vendorid=0x46d"]', 'unknown-key', 1, 10, /hostbus, hostaddr/],
  ['usbdev=["é😀,hostbus=1"]', 'unknown-key', 1, 10],
  ['usbdev=["hostbus=1,é😀"]', 'unknown-key', 1, 20],
  ['usbdev=[""]', 'missing-key', 1, 9, /hostbus=N and hostaddr=N/],
  ['usbdev=["hostbus=1,hostaddr=1",\n"hostbus=1"]', 'missing-key', 2, 1],
  ['usbdev=["hostaddr=1"]', 'missing-key', 1, 9],
  ['usbctrl=["type="]', 'bad-type', 1, 16, /no controller type "": auto, pv, qusb, devicemodel/],
  ['usbctrl=["type=qusb ,ports=4"]', 'bad-type', 1, 16, /"qusb "/],
  ['usbctrl=["type=xhci"]', 'bad-type', 1, 16],
  ['usbctrl=["type=constructor"]', 'bad-type', 1, 16],
  ['usbdev=["type=redir,hostbus=1,hostaddr=1"]', 'bad-type', 1, 15, /"redir", only hostdev/],
];

const NUMBERS: readonly Row[] = [
  ['usbctrl=["ports="]', 'bad-number', 1, 17, /ports="" is not a number/],
  ['usbctrl=["ports=x"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=4x"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=-1"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=+1"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=1e1"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=0x"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=4 4"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=４"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=0"]', 'bad-number', 1, 17, /ports="0" is not between 1 and 31/],
  ['usbctrl=["ports=32"]', 'bad-number', 1, 17],
  ['usbctrl=["ports=99999999999999999999"]', 'bad-number', 1, 17],
  [
    'usbctrl=["ports=4,ports=x,ports=5,version=4"]',
    'bad-number',
    1,
    43,
    /version="4" is not between 1 and 3/,
  ],
  ['usbctrl=["ports=040"]', 'bad-number', 1, 17, /ports="040" is not between 1 and 31/],
  [
    'usbdev=["hostbus=08,hostaddr=1"]',
    'bad-number',
    1,
    18,
    /leading zero, which might mean decimal 8: write it/,
  ],
  [
    'usbdev=["hostbus=1,hostaddr=010"]',
    'bad-number',
    1,
    29,
    /^hostaddr="010" has a leading zero, which might mean decimal 10 or, as xl reads it, octal 8: write it without\.$/,
  ],
  ['usbdev=["hostbus=00000000011,hostaddr=1"]', 'bad-number', 1, 18, /has a leading zero: write it without/],
  ['usbdev=["hostbus=00,hostaddr=1"]', 'bad-number', 1, 18, /hostbus="00" is not between 1 and 255/],
  ['usbdev=["hostbus=257,hostaddr=1"]', 'bad-number', 1, 18, /between 1 and 255/],
  ['usbdev=["hostbus=0,hostaddr=1"]', 'bad-number', 1, 18],
  ['usbdev=["hostbus=1,hostaddr=128"]', 'bad-number', 1, 29, /between 1 and 127/],
  ['usbdev=["hostbus=1,hostaddr=1,controller=65536"]', 'bad-number', 1, 42, /between 0 and 65535/],
  ['usbctrl=[""]\nusbdev=["hostbus=1,hostaddr=1,controller=0,port=32"]', 'bad-number', 2, 49, /1 and 31/],
  [String.raw`usbdev=["hostbus=\t\t1,hostaddr=x"]`, 'bad-number', 1, 33],
];

const MEANINGS: readonly Row[] = [
  [
    'usbctrl=["type=pv,version=3"]',
    'impossible-controller',
    1,
    27,
    /Type pv does not support USB version 3, only 1, 2/,
  ],
  ['usbctrl=["version=3,ports=16"]', 'impossible-controller', 1, 27, /type auto, USB 3, has 1 to 15/],
  ['usbctrl=["type=devicemodel,ports=8"]', 'impossible-controller', 1, 34, /USB 2, always has 6/],
  ['usbctrl=["type=devicemodel,ports=5"]', 'impossible-controller', 1, 34],
  ['usbctrl=["type=devicemodel,version=1,ports=4"]', 'impossible-controller', 1, 44, /always has 2/],
  ['usbdev=["hostbus=1,hostaddr=1,port=2"]', 'port-without-controller', 1, 36, /port=2 needs/],
  ['usbdev=["hostbus=1,hostaddr=1,controller=0"]', 'no-such-controller', 1, 42, /usbctrl has no controllers/],
  [
    'usbctrl=[""]\nusbdev=["hostbus=1,hostaddr=1,controller=1"]',
    'no-such-controller',
    2,
    42,
    /usbctrl has controller 0 only/,
  ],
  [
    'usbctrl=["",""]\nusbdev=["controller=2,hostbus=1,hostaddr=1"]',
    'no-such-controller',
    2,
    21,
    /usbctrl has 0 to 1/,
  ],
  [
    'usbctrl=["ports=4"]\nusbdev=["hostbus=1,hostaddr=1,controller=0,port=5"]',
    'no-such-port',
    2,
    49,
    /There is no port 5: controller 0 has 4\./,
  ],
  ['usbctrl=[""]\nusbdev=["hostbus=1,hostaddr=1,controller=0,port=9"]', 'no-such-port', 2, 49],
  [
    'usbctrl=["type=devicemodel"]\nusbdev=["hostbus=1,hostaddr=1,controller=0,port=7"]',
    'no-such-port',
    2,
    49,
    /has 6/,
  ],
  [
    'usbctrl=["type=devicemodel,version=1"]\nusbdev=["hostbus=1,hostaddr=1,controller=0,port=3"]',
    'no-such-port',
    2,
    49,
    /has 2/,
  ],
  [
    [
      'usbctrl=["",""]',
      'usbdev=["hostbus=1,hostaddr=1,controller=1,port=2",',
      '"hostbus=1,hostaddr=2,controller=0,port=2",',
      '"hostbus=1,hostaddr=3,controller=1,port=0x2"]',
    ].join('\n'),
    'port-taken',
    4,
    41,
    /Port 2 of controller 1 already has the device from line 2/,
  ],
  [
    'usbdev=["hostbus=1,hostaddr=2","hostbus=2,hostaddr=1",\n"hostaddr=0x2,hostbus=0x1"]',
    'device-twice',
    2,
    23,
    /hostbus=1,hostaddr=2 is already in the list, in line 1/,
  ],
];

const TABLES: Readonly<Record<string, readonly Row[]>> = { KINDS, KEYS, NUMBERS, MEANINGS };

describe('USB settings that are refused', () => {
  for (const [table, rows] of Object.entries(TABLES)) {
    for (const [text, code, line, column, said] of rows) {
      it(`${table.toLowerCase()}: ${JSON.stringify(text)}: ${code}`, () => {
        const sentence = assertRefused(() => parseUsbSettings(text), { code, line, column });
        if (said) assert.match(sentence, said);
      });
    }
  }

  it('are quoted only in part when they are long', () => {
    const text = `usbctrl=["${'x'.repeat(10_000)}"]`;
    const sentence = assertRefused(() => parseUsbSettings(text), {
      code: 'unknown-key',
      line: 1,
      column: 11,
    });
    assert.match(sentence, /"x{50}…x{50}"/);
  });
});
