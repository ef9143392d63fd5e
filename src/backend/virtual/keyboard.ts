/** A virtual boot keyboard (HID 1.11, appendix B). */
import type { Setup } from '../../usb/index.js';
import { describe } from './describe.js';
import type { Stall, VirtualFunction } from './function.js';

const REPORT_BYTES = 8;

/** The report of a boot keyboard: modifiers, one reserved byte, six keys; and five LEDs. */
const REPORT_DESCRIPTOR = Buffer.from(
  '05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503910195067508150025650507190029658100c0',
  'hex',
);

const HID = 0x21;
const REPORT = 0x22;
const GET_DESCRIPTOR = 6;
const Hid = { getReport: 1, getIdle: 2, getProtocol: 3, setReport: 9, setIdle: 10, setProtocol: 11 };

const HID_DESCRIPTOR = Buffer.from([9, HID, 0x11, 1, 0, 1, REPORT, REPORT_DESCRIPTOR.length, 0]);

/** A keyboard whose keys are pressed by {@link Keyboard.type}. */
export class Keyboard implements VirtualFunction {
  readonly speed = 'full';
  readonly strings = ['pvusb', 'virtual keyboard'];
  readonly descriptors = describe({
    vendor: 0x1d6b,
    product: 0x0104,
    version: 0x0100,
    stringCount: 2,
    configuration: 1,
    settings: [
      {
        interface: 0,
        class: 3,
        subClass: 1,
        protocol: 1,
        extra: HID_DESCRIPTOR,
        endpoints: [{ address: 0x81, kind: 'interrupt', packetBytes: REPORT_BYTES, interval: 10 }],
      },
    ],
  });
  /** The LEDs that the host has set, by bit: Num Lock, Caps Lock, Scroll Lock... */
  leds = 0;
  #reports: Uint8Array[] = [];
  #more: () => void = () => undefined;
  #protocol = 1;

  start(more: () => void): void {
    this.#more = more;
  }

  /** Types lower-case letters, digits, spaces and line ends, as a US keyboard has them; other characters are left out. */
  type(text: string): void {
    for (const character of text) {
      const key = keyOf(character);
      if (key === undefined) continue;
      this.#reports.push(reportOf(key), reportOf(0));
    }
    this.#more();
  }

  control({ recipient, kind, request, value, length }: Setup, data: Uint8Array): Uint8Array | Stall {
    const none = new Uint8Array(0);
    if (recipient !== 'interface') return 'stall';
    if (kind === 'standard') {
      if (request !== GET_DESCRIPTOR) return 'stall';
      return value >> 8 === REPORT ? REPORT_DESCRIPTOR : value >> 8 === HID ? HID_DESCRIPTOR : 'stall';
    }
    switch (request) {
      case Hid.getReport:
        return reportOf(0).subarray(0, length);
      case Hid.getIdle:
        return Uint8Array.of(0);
      case Hid.getProtocol:
        return Uint8Array.of(this.#protocol);
      case Hid.setReport:
        this.leds = data[0] ?? 0;
        return none;
      case Hid.setIdle:
        return none;
      case Hid.setProtocol:
        this.#protocol = value & 1;
        return none;
      default:
        return 'stall';
    }
  }

  send(): Uint8Array | undefined {
    return this.#reports.shift();
  }

  receive(): Stall {
    return 'stall';
  }

  reset(): void {
    this.#protocol = 1;
  }
}

function reportOf(key: number): Uint8Array {
  return Uint8Array.of(0, 0, key, 0, 0, 0, 0, 0);
}

/** HID usage of a character's key (HID Usage Tables, page 7). */
function keyOf(character: string): number | undefined {
  const at = 'abcdefghijklmnopqrstuvwxyz1234567890\n\u001b\b\t '.indexOf(character);
  return at < 0 ? undefined : 4 + at;
}
