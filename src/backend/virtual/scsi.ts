/** The SCSI commands that hosts send to a stick (SPC-4, SBC-3), as far as they answer without its bytes. Pure. */

/** Bytes of a block. */
const BLOCK_BYTES = 512;

/** Operation codes. */
const Code = {
  testUnitReady: 0x00,
  requestSense: 0x03,
  inquiry: 0x12,
  modeSense6: 0x1a,
  startStop: 0x1b,
  preventRemoval: 0x1e,
  readFormatCapacities: 0x23,
  readCapacity: 0x25,
  read10: 0x28,
  write10: 0x2a,
  verify10: 0x2f,
  synchronizeCache: 0x35,
  modeSense10: 0x5a,
} as const;

/** Why a command failed: sense key, and additional sense code. */
export interface Sense {
  readonly key: number;
  readonly code: number;
}

/** The senses that a stick has. */
export const SENSE = {
  none: { key: 0, code: 0 },
  mediumError: { key: 3, code: 0x11 },
  invalidCommand: { key: 5, code: 0x20 },
  outOfRange: { key: 5, code: 0x21 },
  invalidField: { key: 5, code: 0x24 },
  isReadOnly: { key: 7, code: 0x27 },
} as const satisfies Record<string, Sense>;

/** What a command is to do. */
type ScsiAction =
  | { readonly do: 'reply'; readonly bytes: Uint8Array }
  | { readonly do: 'read' | 'write'; readonly at: number; readonly length: number }
  | { readonly do: 'flush' }
  | { readonly do: 'fail'; readonly sense: Sense };

/** What is asked about a disk. */
export interface Disk {
  readonly size: number;
  readonly isReadOnly: boolean;
  readonly serial: string;
  /** Of the command before. */
  readonly sense: Sense;
}

/** Decides what a command does. */
export function decideScsi(untrustedCommand: Uint8Array, disk: Disk): ScsiAction {
  const command = Buffer.from(untrustedCommand);
  const blocks = Math.floor(disk.size / BLOCK_BYTES);
  switch (command[0]) {
    case Code.testUnitReady:
    case Code.startStop:
    case Code.preventRemoval:
    case Code.verify10:
      return { do: 'reply', bytes: new Uint8Array(0) };
    case Code.synchronizeCache:
      return { do: 'flush' };
    case Code.requestSense:
      return { do: 'reply', bytes: senseBytes(disk.sense) };
    case Code.inquiry:
      return inquiry(command, disk);
    case Code.modeSense6:
      return { do: 'reply', bytes: Uint8Array.of(3, 0, disk.isReadOnly ? 0x80 : 0, 0) };
    case Code.modeSense10:
      return { do: 'reply', bytes: Uint8Array.of(0, 6, 0, disk.isReadOnly ? 0x80 : 0, 0, 0, 0, 0) };
    case Code.readFormatCapacities: {
      const bytes = Buffer.from([0, 0, 0, 8, 0, 0, 0, 0, 2, 0, BLOCK_BYTES >> 8, 0]);
      bytes.writeUInt32BE(blocks, 4);
      return { do: 'reply', bytes };
    }
    case Code.readCapacity: {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(blocks - 1, 0);
      bytes.writeUInt32BE(BLOCK_BYTES, 4);
      return { do: 'reply', bytes };
    }
    case Code.read10:
    case Code.write10: {
      const [first, count] = [command.readUInt32BE(2), command.readUInt16BE(7)];
      if (first + count > blocks) return { do: 'fail', sense: SENSE.outOfRange };
      const isWrite = command[0] === Code.write10;
      if (isWrite && disk.isReadOnly) return { do: 'fail', sense: SENSE.isReadOnly };
      return { do: isWrite ? 'write' : 'read', at: first * BLOCK_BYTES, length: count * BLOCK_BYTES };
    }
    default:
      return { do: 'fail', sense: SENSE.invalidCommand };
  }
}

function senseBytes({ key, code }: Sense): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes.set([0x70, 0, key]);
  bytes[7] = 10;
  bytes[12] = code;
  return bytes;
}

const VENDOR = 'pvusb   ';
const PRODUCT = 'virtual stick   ';

function inquiry(command: Buffer, { serial }: Disk): ScsiAction {
  const isPage = (command[1]! & 1) !== 0;
  if (!isPage) {
    if (command[2] !== 0) return { do: 'fail', sense: SENSE.invalidField };
    const text = Buffer.from(`${VENDOR}${PRODUCT}1.0 `, 'latin1');
    return { do: 'reply', bytes: Buffer.concat([Buffer.from([0, 0x80, 6, 2, 31, 0, 0, 0]), text]) };
  }
  const page = command[2]!;
  const body =
    page === 0
      ? Buffer.from([0, 0x80])
      : page === 0x80
        ? Buffer.from(serial.slice(0, 32), 'latin1')
        : undefined;
  if (!body) return { do: 'fail', sense: SENSE.invalidField };
  return { do: 'reply', bytes: Buffer.concat([Buffer.from([0, page, 0, body.length]), body]) };
}
