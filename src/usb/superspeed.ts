/** The descriptors of a SuperSpeed device as a high-speed port may show them: usbif knows nothing faster. Pure. */
import { DescriptorType, EndpointType, walk } from './descriptors.js';

const USB_2_1 = 0x0210;

/** The most that one service interval of a high-speed endpoint carries: three packets of 1024 bytes. */
const HIGH_SPEED_PACKET = 1024;
const HIGH_SPEED_PACKETS_MAX = 3;

/** Units of `bMaxPower`: 8 mA at SuperSpeed, 2 mA below. */
const POWER_FACTOR = 4;
const POWER_MAX = 250;

/** The device descriptor: USB 2.1, and a packet size of endpoint 0 in bytes, not as a power of two. */
export function deviceAtHighSpeed(untrusted: Uint8Array): Uint8Array {
  const bytes = untrusted.slice();
  bytes[2] = USB_2_1 & 0xff;
  bytes[3] = USB_2_1 >> 8;
  bytes[7] = 64;
  return bytes;
}

/**
 * A configuration without what is only for SuperSpeed. `wMaxPacketSize` of bulk endpoints stays 1024: Linux keeps it,
 * and what is short or whole stays right. An alternate setting with an endpoint that carries more in an interval than
 * high speed can is left out, with its endpoints.
 */
export function configurationAtHighSpeed(untrusted: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [];
  let setting: Uint8Array[] = [];
  let fits = true;
  const endSetting = (): void => {
    if (fits) kept.push(...setting);
    setting = [];
    fits = true;
  };
  for (const { type, bytes } of walk(untrusted)) {
    if (type === DescriptorType.interface) endSetting();
    if (type === DescriptorType.superSpeedCompanion) {
      const endpoint = setting.at(-1);
      if (endpoint?.[1] === DescriptorType.endpoint) fits = addBurst(endpoint, bytes) && fits;
    } else if (type !== DescriptorType.isochronousCompanion) {
      setting.push(bytes.slice());
    }
  }
  endSetting();
  return withHead(kept);
}

/** A burst of up to three packets is told in the packet size; false when there are more, or other packets. */
function addBurst(endpoint: Uint8Array, companion: Uint8Array): boolean {
  const type = (endpoint[3] ?? 0) & 3;
  if (type !== EndpointType.isochronous && type !== EndpointType.interrupt) return true;
  if (endpoint.length < 7 || companion.length < 4) return false;
  const mult = type === EndpointType.isochronous ? companion[3]! & 3 : 0;
  const packets = (companion[2]! + 1) * (mult + 1);
  if (packets === 1) return true;
  const size = (endpoint[4]! | (endpoint[5]! << 8)) & 0x7ff;
  if (packets > HIGH_SPEED_PACKETS_MAX || size > HIGH_SPEED_PACKET) return false;
  endpoint[5] = endpoint[5]! | ((packets - 1) << 3);
  return true;
}

function withHead(parts: readonly Uint8Array[]): Uint8Array {
  const whole = Buffer.concat(parts);
  if (whole.length < 9) return whole;
  whole.writeUInt16LE(whole.length, 2);
  whole[8] = Math.min(whole[8]! * POWER_FACTOR, POWER_MAX);
  return whole;
}

/** The BOS descriptor with what a high-speed device may say: its USB 2.0 extension and nothing of SuperSpeed. */
export function bosAtHighSpeed(untrusted: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [];
  for (const { type, bytes } of walk(untrusted)) {
    const isHead = type === DescriptorType.bos && kept.length === 0 && bytes.length >= 5;
    if (isHead || (type === DescriptorType.deviceCapability && isForHighSpeed(bytes))) kept.push(bytes);
  }
  const whole = Buffer.concat(kept);
  if (whole.length >= 5 && whole[1] === DescriptorType.bos) {
    whole.writeUInt16LE(whole.length, 2);
    whole[4] = kept.length - 1;
  }
  return whole;
}

/** USB 3.2, table 9-14: 3 is the SuperSpeed capability, 10 that of SuperSpeedPlus. */
function isForHighSpeed(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[2] !== 3 && bytes[2] !== 10;
}
