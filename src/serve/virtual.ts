/** Virtual devices of the command line: `3/0/1=stick:/srv/stick.img`. */
import type { LentDevice } from '../backend/boundary.js';
import { VirtualDevice } from '../backend/virtual/device.js';
import { Keyboard } from '../backend/virtual/keyboard.js';
import { SourceSink } from '../backend/virtual/source-sink.js';
import { Stick } from '../backend/virtual/stick.js';
import { openImage } from './files.js';

/** A virtual device in a port. */
export interface VirtualPort {
  readonly domid: number;
  readonly devid: number;
  readonly port: number;
  readonly make: () => LentDevice;
}

const FORM = /^(\d{1,5})\/(\d{1,5})\/(\d{1,2})=(?:(keyboard|source-sink)|(stick|read-only-stick):(.+))$/s;

/** What the command line may say. */
export const VIRTUAL_FORM = 'DOMID/DEVID/PORT=keyboard, source-sink, stick:IMAGE or read-only-stick:IMAGE';

/**
 * Makes a virtual device ready.
 *
 * @returns undefined when the text says none
 * @throws an errno, when an image cannot be opened
 */
export async function parseVirtual(text: string): Promise<VirtualPort | undefined> {
  const [, domid, devid, port, plain, stick, image] = FORM.exec(text) ?? [];
  if (domid === undefined) return undefined;
  const place = { domid: Number(domid), devid: Number(devid), port: Number(port) };
  if (image === undefined) {
    const make = (): LentDevice =>
      new VirtualDevice(plain === 'keyboard' ? new Keyboard() : new SourceSink());
    return { ...place, make };
  }
  const storage = await openImage(image, stick === 'read-only-stick');
  const serial = `V${place.domid}C${place.devid}P${place.port}`;
  return { ...place, make: () => new VirtualDevice(new Stick(storage, serial)) };
}
