/** The kernel's events about devices, as it broadcasts them (lib/kobject_uevent.c: a header, then KEY=value texts). */

/** What an event says about a USB device or interface. */
interface Uevent {
  /** `add`, `bind`, `change`, `unbind`, `remove`... */
  readonly action: string;
  /** The folder's name: `4-1`, `4-1:1.0`, `usb4`. */
  readonly name: string;
}

/**
 * Reads the datagram of an event. Undefined for what is not about USB, and for what is no event of the kernel's:
 * udevd's own messages begin with `libudev`.
 */
export function parseUevent(untrustedBytes: Uint8Array): Uevent | undefined {
  const [header = '', ...lines] = Buffer.from(untrustedBytes).toString('latin1').split('\0');
  if (!/^[a-z]+@\//.test(header)) return undefined;
  const values = new Map(lines.map((line): [string, string] => splitOnce(line)));
  const action = values.get('ACTION');
  const name = values.get('DEVPATH')?.split('/').at(-1);
  if (values.get('SUBSYSTEM') !== 'usb' || !action || !name) return undefined;
  return { action, name };
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=');
  return at === -1 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}
