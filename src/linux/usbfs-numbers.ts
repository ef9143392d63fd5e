/** Numbers of `linux/usbdevice_fs.h`. */

/** Requests of ioctl(2), for 64-bit programs. */
export const UsbfsRequest = {
  control: 0xc018_5500,
  setInterface: 0x8008_5504,
  setConfiguration: 0x8004_5505,
  submitUrb: 0x8038_550a,
  discardUrb: 0x550b,
  reapUrbNow: 0x4008_550d,
  claimInterface: 0x8004_550f,
  releaseInterface: 0x8004_5510,
  reset: 0x5514,
  clearHalt: 0x8004_5515,
  claimPort: 0x8004_5518,
  disconnectAndClaim: 0x8108_551b,
  getSpeed: 0x551f,
} as const;

/** `struct usbdevfs_urb`: offsets, and its bytes without packets. */
export const UrbOffset = {
  type: 0,
  endpoint: 1,
  status: 4,
  flags: 8,
  buffer: 16,
  bufferLength: 24,
  actualLength: 28,
  startFrame: 32,
  packetCount: 36,
  errorCount: 40,
  packets: 56,
} as const;

/** `struct usbdevfs_iso_packet_desc`: length, actual length, status. */
export const PACKET_BYTES = 12;

/** Flags of a URB. */
export const UrbFlag = { shortNotOk: 1, isoAsap: 2 } as const;

/** `enum usb_device_speed`; wireless is none of ours. */
export const SPEED_NAMES = {
  1: 'low',
  2: 'full',
  3: 'high',
  5: 'super',
  6: 'super',
} as const;
