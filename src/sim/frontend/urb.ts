/** URBs of a simulated guest, and the requests that stand for them on the wire. */
import {
  PACKET_DESCRIPTOR_BYTES,
  PAGE_SIZE,
  PipeBits,
  REQUEST_HEAD_WORDS,
  REQUEST_WORDS,
  SHORT_NOT_OK,
  type TransferType,
} from '../../usbif/layout.js';

/** A URB of a guest's driver. */
export interface GuestUrb {
  readonly port: number;
  readonly address: number;
  readonly endpoint: number;
  readonly input: boolean;
  readonly type: TransferType;
  /** What is sent, or where what comes is put. */
  readonly data: Uint8Array;
  readonly setup?: Uint8Array;
  readonly shortNotOk?: boolean;
  /** Isochronous packets: where each is in the data, and its bytes. */
  readonly packets?: readonly { readonly offset: number; readonly length: number }[];
  /** Where the data begin in their first page. */
  readonly offset?: number;
}

/** How it ended. */
export interface GuestResult {
  readonly status: number;
  readonly actualLength: number;
  readonly packets: readonly { readonly actualLength: number; readonly status: number }[];
}

/** A URB on its way. */
export interface Flight {
  readonly done: Promise<GuestResult>;
  /** Ends it early. */
  unlink(): void;
}

/** The words of a request for a URB. */
export function urbWords(
  id: number,
  urb: GuestUrb,
  { refs, pages }: { readonly refs: readonly number[]; readonly pages: readonly Uint8Array[] },
): Uint32Array {
  const words = new Uint32Array(REQUEST_WORDS);
  const { data, offset = 0, setup, packets } = urb;
  words[0] = id | (pages.length << 16);
  words[1] =
    urb.port |
    (urb.input ? PipeBits.input : 0) |
    (urb.address << PipeBits.addressShift) |
    (urb.endpoint << PipeBits.endpointShift) |
    (urb.type << PipeBits.typeShift);
  words[2] = (urb.shortNotOk ? SHORT_NOT_OK : 0) | (data.length << 16);
  if (setup) new Uint8Array(words.buffer).set(setup, 12);
  if (packets) {
    words[3] = 1;
    words[4] = packets.length | (1 << 16);
  }
  let left = data.length;
  refs.forEach((ref, at) => {
    const isData = at < pages.length;
    const from = isData && at === 0 ? offset : 0;
    const length = isData ? Math.min(PAGE_SIZE - from, left) : packets!.length * PACKET_DESCRIPTOR_BYTES;
    if (isData) left -= length;
    words[REQUEST_HEAD_WORDS + 2 * at] = ref;
    words[REQUEST_HEAD_WORDS + 2 * at + 1] = from | (length << 16);
  });
  return words;
}

/** The words of a request that ends another. */
export function unlinkWords(id: number, { port }: GuestUrb, target: number): Uint32Array {
  const words = new Uint32Array(REQUEST_WORDS);
  // What is not of an unlink is left over from an older request.
  words.fill(0xdead_beef);
  words[0] = id;
  words[1] = port | PipeBits.unlink;
  words[3] = target;
  return words;
}

/** Copies between a buffer and the pages that stand for it. */
export function copyPages(
  pages: readonly Uint8Array[],
  offset: number,
  data: Uint8Array,
  toPages: boolean,
): void {
  let done = 0;
  pages.forEach((page, at) => {
    const from = at === 0 ? offset : 0;
    const length = Math.min(PAGE_SIZE - from, data.length - done);
    const [inPage, inData] = [page.subarray(from, from + length), data.subarray(done, done + length)];
    if (toPages) inPage.set(inData);
    else inData.set(inPage);
    done += length;
  });
}
