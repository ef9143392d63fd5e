/** The audit in the systemd journal: its native protocol (systemd: "Native Journal Protocol"), a datagram a change. */
import { loadSendDatagram } from '../linux/datagram.js';
import { LinuxError } from '../linux/errors.js';
import type { ChangeLine } from './line.js';

/** Where the journal listens. */
const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** `syslog(3)`: informational, warning. */
const INFO = '6';
const WARNING = '4';

/** Longest field; what is longer is in the audit's own file. A datagram has room for 200 KB. */
const FIELD_MAX = 16 * 1024;

/** Sends every change to the journal. A machine without one has none. */
export async function openJournal(
  path: string = JOURNAL_SOCKET,
): Promise<(change: ChangeLine, hash: string) => void> {
  const send = await loadSendDatagram();
  return (change, hash) => {
    try {
      send(path, encodeFields(journalFields(change, hash)));
    } catch (error) {
      if (!(error instanceof LinuxError && error.code === 'ENOENT')) throw error;
    }
  };
}

/** The fields of a change; some names come several times. */
export function journalFields(change: ChangeLine, hash: string): [name: string, value: string][] {
  const { seq, who, what, request, why, operation, guests = [], devices = [], error } = change;
  const about = [...guests.map(({ domid, name }) => name ?? `domain ${domid}`), ...devices].join(', ');
  const outcome = error ? `failed: ${error.message}` : 'done';
  const fields: [string, string | undefined][] = [
    ['MESSAGE', `${who.name}: ${what}${about === '' ? '' : ` (${about})`}: ${outcome}`],
    ['PRIORITY', error ? WARNING : INFO],
    ['SYSLOG_IDENTIFIER', 'pvusb'],
    ['PVUSB_SEQ', String(seq)],
    ['PVUSB_HASH', hash],
    ['PVUSB_ACTION', what],
    ['PVUSB_ACTOR', who.name],
    ['PVUSB_VIA', who.via],
    ['PVUSB_ROLE', who.role],
    ['PVUSB_UID', who.uid?.toString()],
    ['PVUSB_PID', who.pid?.toString()],
    ...guests.flatMap(({ domid, name, uuid }): [string, string | undefined][] => [
      ['PVUSB_GUEST', name],
      ['PVUSB_DOMID', String(domid)],
      ['PVUSB_UUID', uuid],
    ]),
    ...devices.map((busid): [string, string] => ['PVUSB_DEVICE', busid]),
    ['PVUSB_REQUEST', JSON.stringify(request)],
    ['PVUSB_WHY', why],
    ['PVUSB_OPERATION', operation],
    ['PVUSB_RESULT', error ? 'failed' : 'done'],
    ['PVUSB_ERROR', error?.code],
  ];
  return fields.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value.slice(0, FIELD_MAX)] satisfies [string, string]],
  );
}

/** `NAME=value`, or, with a line feed in it, the name, its length in 8 bytes (little-endian) and the value. */
export function encodeFields(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => {
      if (!value.includes('\n')) return [Buffer.from(`${name}=${value}\n`)];
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(bytes.length));
      return [Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')];
    }),
  );
}
