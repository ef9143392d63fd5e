/** What the host does with keyboards, serial lines, card readers and everything else: as trees of files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { UsbDevice } from '../../src/sysfs/index.js';
import { classed, device, deviceFolder, type Tree, told, usesIn, writeTrees } from './tree.js';

const KEYBOARD = device('1-2', { '03/01/01': 'usbhid' });
const OTHER = device('3-5.1', { '03/01/01': 'usbhid' });
const SERIAL = device('1-4', { 'ff/ff/ff': 'ftdi_sio' });
const READER = device('1-8', { '0b/00/00': 'usbfs' });

const entry = (name: string, folder: string, handlers: string): string =>
  `I: Bus=0003 Vendor=0627 Product=0001 Version=0111\nN: Name="${name}"\nP: Phys=x\nS: Sysfs=/${folder}/input/input5\nU: Uniq=\nH: Handlers=${handlers} \nB: PROP=0\n`;
const input = (...entries: readonly string[]): Tree => ({
  'proc/bus/input/devices': `${entries.join('\n')}\n`,
});
const keyboard = (busid: string, name = 'A Keyboard'): string =>
  entry(name, deviceFolder(busid), 'sysrq kbd leds event4');
/** Every computer has these, and none of them is a keyboard that someone can type on. */
const BOARD = [
  entry('Power Button', 'devices/LNXSYSTM:00/LNXPWRBN:00', 'kbd event0'),
  entry('PC Speaker', 'devices/platform/pcspkr', 'kbd event1'),
  entry('AT Translated Set 2 keyboard', 'devices/platform/i8042/serio0', 'sysrq kbd leds event2'),
];
const ONLY = "1-2 refuse keyboard: it is the host's only keyboard";

interface Row {
  readonly devices: readonly UsbDevice[];
  readonly trees: readonly Tree[];
  readonly thorough?: boolean;
  readonly told: readonly string[];
}

const ROWS: Readonly<Record<string, Row>> = {
  'the only keyboard, besides that of the board': {
    devices: [KEYBOARD],
    trees: [input(...BOARD, keyboard('1-2'), keyboard('1-2'))],
    told: [ONLY],
  },
  'one of two keyboards': {
    devices: [KEYBOARD, OTHER],
    trees: [input(keyboard('1-2'), keyboard('3-5.1'))],
    told: [],
  },
  'both of two keyboards, to be lent together': {
    devices: [KEYBOARD, OTHER],
    thorough: true,
    trees: [input(keyboard('1-2'), keyboard('3-5.1'))],
    told: [ONLY, ONLY.replace('1-2', '3-5.1')],
  },
  'a keyboard next to the one that a management controller imitates': {
    devices: [KEYBOARD, OTHER],
    trees: [input(keyboard('1-2'), keyboard('3-5.1', 'American Megatrends Inc. Virtual Keyboard and Mouse'))],
    told: [ONLY],
  },
  'a mouse': {
    devices: [KEYBOARD],
    trees: [input(...BOARD, entry('Mouse', deviceFolder('1-2'), 'mouse0 event4'))],
    told: [],
  },
  'a serial console, in both lists': {
    devices: [SERIAL],
    trees: [
      classed('tty', 'ttyUSB0', '1-4'),
      {
        'proc/consoles': 'tty0  -WU (E  p  )    4:1\nttyUSB0 -W- (EC p a)  188:0\n',
        'sys/class/tty/console/active': 'tty0 ttyUSB0\n',
      },
    ],
    told: ['1-4 refuse kernel-console: ttyUSB0 on it is a console of the kernel'],
  },
  'a serial console that only sysfs names': {
    devices: [SERIAL],
    trees: [classed('tty', 'ttyUSB0', '1-4'), { 'sys/class/tty/console/active': 'ttyUSB0\n' }],
    told: ['1-4 refuse kernel-console: ttyUSB0 on it is a console of the kernel'],
  },
  'a serial line with a login': {
    devices: [SERIAL],
    thorough: true,
    trees: [
      classed('tty', 'ttyUSB0', '1-4'),
      { 'proc/9/fd/0': '-> /dev/ttyUSB0', 'proc/9/comm': 'agetty\n' },
    ],
    told: ['1-4 refuse held: ttyUSB0 on it is open in agetty (9)'],
  },
  'a smart-card reader that a program has claimed': {
    devices: [READER],
    trees: [],
    told: ['1-8 refuse usbfs: it is claimed by a program through usbfs'],
  },
  'the same, and who it is': {
    devices: [READER],
    thorough: true,
    trees: [{ 'proc/812/fd/7': '-> /dev/bus/usb/001/009', 'proc/812/comm': 'pcscd\n' }],
    told: ['1-8 refuse usbfs: it is claimed by pcscd (812) through usbfs'],
  },
  'a smart-card reader that pcscd has open, without a card': {
    devices: [device('1-8', { '0b/00/00': '' })],
    thorough: true,
    trees: [{ 'proc/812/fd/7': '-> /dev/bus/usb/001/009', 'proc/812/comm': 'pcscd\n' }],
    told: ['1-8 refuse held: bus/usb/001/009 on it is open in pcscd (812)'],
  },
  'a device that lsusb is looking at': {
    devices: [SERIAL],
    thorough: true,
    trees: [{ 'proc/5/fd/7': '-> /dev/bus/usb/001/009', 'proc/5/comm': 'lsusb\n' }],
    told: ['1-4 warn open: bus/usb/001/009 on it is open in lsusb (5)'],
  },
  'a sound card that plays': {
    devices: [SERIAL],
    trees: [
      classed('sound', 'card1', '1-4'),
      classed('sound', 'pcmC1D0p', '1-4'),
      { 'proc/asound/card1/pcm0p/sub0/status': 'state: RUNNING\nowner_pid   : 807\n' },
    ],
    told: ['1-4 warn sound: card1 on it is playing or recording sound'],
  },
  'a sound card whose mixer is open, as it always is': {
    devices: [SERIAL],
    thorough: true,
    trees: [
      classed('sound', 'card1', '1-4'),
      classed('sound', 'controlC1', '1-4'),
      { 'proc/asound/card1/pcm0p/sub0/status': 'closed\n' },
      { 'proc/5/fd/7': '-> /dev/snd/controlC1', 'proc/5/comm': 'pipewire\n' },
    ],
    told: ['1-4 warn open: snd/controlC1 on it is open in pipewire (5)'],
  },
  'a UPS, and other files that programs have open': {
    devices: [SERIAL],
    thorough: true,
    trees: [
      classed('usbmisc', 'hiddev0', '1-4'),
      classed('hidraw', 'hidraw3', '1-4'),
      classed('video4linux', 'video0', '1-4'),
      classed('input', 'event5', '1-4'),
      {
        'proc/5/fd/1': '-> /dev/usb/hiddev0',
        'proc/5/fd/2': '-> /dev/hidraw3',
        'proc/5/fd/3': '-> /dev/video0',
        'proc/5/fd/4': '-> /dev/input/event5',
        'proc/5/fd/5': '-> socket:[12]',
        'proc/5/comm': 'a\x1b[2J\n',
      },
    ],
    told: [
      '1-4 refuse held: usb/hiddev0 on it is open in a\\x1b[2J (5)',
      '1-4 warn open: hidraw3 on it is open in a\\x1b[2J (5)',
      '1-4 warn open: input/event5 on it is open in a\\x1b[2J (5)',
      '1-4 warn open: video0 on it is open in a\\x1b[2J (5)',
    ],
  },
  'a file that many processes have open': {
    devices: [SERIAL],
    thorough: true,
    trees: [
      classed('tty', 'ttyUSB0', '1-4'),
      ...[1, 2, 3, 4, 5].map((pid) => ({
        [`proc/${pid}/fd/0`]: '-> /dev/ttyUSB0',
        [`proc/${pid}/comm`]: 'sh\n',
      })),
    ],
    told: ['1-4 refuse held: ttyUSB0 on it is open in sh (1), sh (2), sh (3) and 2 others'],
  },
  'nothing but this process': {
    devices: [SERIAL],
    thorough: true,
    trees: [classed('tty', 'ttyUSB0', '1-4'), { 'proc/self': '-> 5', 'proc/5/fd/0': '-> /dev/ttyUSB0' }],
    told: [],
  },
};

describe('what the host uses', () => {
  for (const [name, { devices, trees, thorough = false, told: expected }] of Object.entries(ROWS)) {
    it(`${name}`, async (test) => {
      const uses = await usesIn(writeTrees(test, ...trees), devices, { thorough });
      assert.deepEqual(uses.map(told), expected);
    });
  }

  it('is nothing where there is no /proc at all', async (test) => {
    const root = writeTrees(test);
    assert.deepEqual(await usesIn(root, [KEYBOARD, SERIAL], { thorough: true }), []);
  });

  it('is not looked for after an abort', async (test) => {
    const why = new Error('enough');
    const looking = usesIn(writeTrees(test), [KEYBOARD], { signal: AbortSignal.abort(why) });
    await assert.rejects(looking, (error) => error === why);
  });
});
