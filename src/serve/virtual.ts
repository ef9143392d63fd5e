/** Virtual devices: made by their names, for ports that the command line or xenstore gives them. */
import { createHash } from 'node:crypto';
import type { LentDevice } from '../backend/boundary.js';
import { VirtualDevice } from '../backend/virtual/device.js';
import { Keyboard } from '../backend/virtual/keyboard.js';
import { SourceSink } from '../backend/virtual/source-sink.js';
import { Stick } from '../backend/virtual/stick.js';
import { parseVirtualName, VIRTUAL_FORM, type VirtualName, virtualDevice } from '../pvusb/model/virtual.js';
import type { StickImages } from './images.js';

/** A virtual device in a port. */
export interface VirtualPort {
  readonly domid: number;
  readonly devid: number;
  readonly port: number;
  readonly name: VirtualName;
}

/** What the command line may say. */
export const VIRTUAL_PORT_FORM = `DOMID/DEVID/PORT=${VIRTUAL_FORM}`;

/** Parses what the command line says: `3/0/1=stick:/srv/stick.img`; undefined when it says none. */
export function parseVirtualPort(text: string): VirtualPort | undefined {
  const [, domid, devid, port, device = ''] = /^(\d{1,5})\/(\d{1,5})\/(\d{1,2})=(.+)$/s.exec(text) ?? [];
  const name = parseVirtualName(device);
  if (name === undefined) return undefined;
  return { domid: Number(domid), devid: Number(devid), port: Number(port), name };
}

/** Digits of a stick's serial number. */
const SERIAL_DIGITS = 12;

/**
 * Makes a virtual device. A stick's serial number is derived from the path of its image: a guest recognises the stick
 * after a reboot, and in another port.
 *
 * @throws {Error} the image cannot be used, and why
 */
export async function openVirtual(images: StickImages, name: VirtualName): Promise<LentDevice> {
  const device = virtualDevice(name);
  if (!device) throw new Error('this version has no such virtual device');
  const { kind, image } = device;
  if (image === undefined) return new VirtualDevice(kind === 'keyboard' ? new Keyboard() : new SourceSink());
  const storage = await images.open(image, kind === 'read-only-stick');
  const serial = createHash('sha256').update(image).digest('hex').slice(0, SERIAL_DIGITS).toUpperCase();
  return new VirtualDevice(new Stick(storage, serial));
}
