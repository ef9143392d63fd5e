/** Offsets and numbers of `xen/io/usbif.h` and `xen/io/ring.h`: the same for 32- and 64-bit guests. Pure. */

/** Bytes of a ring page, and of every page that a guest grants. */
export const PAGE_SIZE = 4096;

/** Offsets of a ring's indexes in its page, in bytes. Each is a u32. */
export const RingOffset = {
  requestProducer: 0,
  requestEvent: 4,
  responseProducer: 8,
  responseEvent: 12,
  entries: 64,
} as const;

/** The ring of URBs: 16 entries, each a request or the response that takes its place. */
export const URB_RING = { entryBytes: 148, entryCount: 16 } as const;

/** The ring of connection events. */
export const CONNECTION_RING = { entryBytes: 4, entryCount: 512 } as const;

/** The most pages that one URB may name: those of its buffer and those of its isochronous packets together. */
export const SEGMENTS_MAX = 16;

/** 32-bit words of a URB request before its segments; a segment has two. */
export const REQUEST_HEAD_WORDS = 5;

/** 32-bit words of a URB request. */
export const REQUEST_WORDS = URB_RING.entryBytes / 4;

/** The parts of a request's `pipe`. */
export const PipeBits = {
  portMask: 0x1f,
  unlink: 1 << 5,
  input: 1 << 7,
  addressShift: 8,
  addressMask: 0x7f,
  endpointShift: 15,
  endpointMask: 0xf,
  typeShift: 30,
} as const;

/** The types of transfer, as in `pipe` and in usbmon. */
export const TransferType = { isochronous: 0, interrupt: 1, control: 2, bulk: 3 } as const;

/** A type of transfer. */
export type TransferType = (typeof TransferType)[keyof typeof TransferType];

/** `transfer_flags`: less than was asked for is an error. The other bits are those of old frontends and mean nothing. */
export const SHORT_NOT_OK = 1;

/** Statuses of a URB. */
export const UsbifStatus = {
  ok: 0,
  noDevice: -19,
  invalid: -22,
  stall: -32,
  ioError: -71,
  babble: -75,
  shutdown: -108,
} as const;

/** A status of a URB. */
export type UsbifStatus = (typeof UsbifStatus)[keyof typeof UsbifStatus];

/** Speeds of a connection event; `none` unplugs. There is nothing faster than high speed. */
export const UsbifSpeed = { none: 0, low: 1, full: 2, high: 3 } as const;

/** A speed of a connection event. */
export type UsbifSpeed = (typeof UsbifSpeed)[keyof typeof UsbifSpeed];

/** The most ports of a controller. */
export const PORTS_MAX = 31;

/** The most packets of an isochronous URB: usbdevfs takes no more. */
export const PACKETS_MAX = 128;

/** Bytes of one isochronous packet's descriptor (Linux' `usb_iso_packet_descriptor`, which usbif.h does not name). */
export const PACKET_DESCRIPTOR_BYTES = 16;
