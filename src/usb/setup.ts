/** Setup packets and the requests of USB 2.0, chapter 9.4. Pure. */

/** `bRequest` of standard requests. */
export const StandardRequest = {
  getStatus: 0,
  clearFeature: 1,
  setFeature: 3,
  setAddress: 5,
  getDescriptor: 6,
  setDescriptor: 7,
  getConfiguration: 8,
  setConfiguration: 9,
  getInterface: 10,
  setInterface: 11,
  synchFrame: 12,
  setSel: 48,
  setIsochDelay: 49,
} as const;

/** `wValue` of CLEAR_FEATURE and SET_FEATURE, by recipient. */
export const Feature = { endpointHalt: 0, testMode: 2, u1Enable: 48, u2Enable: 49, ltmEnable: 50 } as const;

/** Who a request is for. */
type Recipient = 'device' | 'interface' | 'endpoint' | 'other';

/** A setup packet. */
export interface Setup {
  /** `bmRequestType`. */
  readonly requestType: number;
  /** `bRequest`. */
  readonly request: number;
  readonly value: number;
  readonly index: number;
  readonly length: number;
  /** Data, if any, goes from the device to the host. */
  readonly input: boolean;
  readonly kind: 'standard' | 'class' | 'vendor' | 'reserved';
  readonly recipient: Recipient;
}

const TYPES = ['standard', 'class', 'vendor', 'reserved'] as const;
const RECIPIENTS = ['device', 'interface', 'endpoint'] as const;

/** Bytes of a setup packet. */
export const SETUP_BYTES = 8;

/** Parses the 8 bytes of a setup packet; any bytes are one. */
export function parseSetup(bytes: Uint8Array): Setup {
  const requestType = bytes[0]!;
  return {
    requestType,
    request: bytes[1]!,
    value: bytes[2]! | (bytes[3]! << 8),
    index: bytes[4]! | (bytes[5]! << 8),
    length: bytes[6]! | (bytes[7]! << 8),
    input: (requestType & 0x80) !== 0,
    kind: TYPES[(requestType >> 5) & 3]!,
    recipient: RECIPIENTS[requestType & 0x1f] ?? 'other',
  };
}

/** The 8 bytes of a setup packet. */
export function setupBytes(
  requestType: number,
  request: number,
  value: number,
  index: number,
  length: number,
): Uint8Array {
  return Uint8Array.of(
    requestType,
    request,
    value & 0xff,
    value >> 8,
    index & 0xff,
    index >> 8,
    length & 0xff,
    length >> 8,
  );
}
