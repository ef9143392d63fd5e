/** Images of virtual sticks, before anything is made of them. */
import { printable } from '../../sysfs/text.js';
import { PvusbError } from '../model/errors.js';
import { type VirtualName, virtualDevice } from '../model/virtual.js';
import type { HostImages } from './host.js';

/**
 * Demands that the image of a virtual device can be used; a device without one needs nothing.
 *
 * @throws {PvusbError} `image-unusable`
 */
export async function requireImage(images: HostImages, name: VirtualName): Promise<void> {
  const { kind, image } = virtualDevice(name) ?? {};
  if (image === undefined) return;
  const problem = await images.problemOf(image, kind === 'read-only-stick');
  if (problem === undefined) return;
  throw new PvusbError('image-unusable', `${printable(image)} cannot be made into a stick: ${problem}.`);
}
