/** Memory as structures of C. Addresses are plain numbers, in two halves, for a bigint would be an object each time. */
import type { Block } from '../backend/boundary.js';

const HALF = 2 ** 32;

/** The whole of a block. */
export function viewOf({ bytes }: Block): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes an address of 64 bits. */
export function setAddress(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % HALF, true);
  view.setUint32(at + 4, Math.floor(address / HALF), true);
}

/** Reads one. */
export function addressAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * HALF;
}
