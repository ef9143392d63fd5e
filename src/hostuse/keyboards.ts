/** Keyboards, and which of them the host cannot spare. Pure. */
import type { Busid } from '../sysfs/busid.js';
import { ownerOf } from './owner.js';
import { describeUse, type HostUse } from './use.js';

/** A keyboard on USB. */
interface Keyboard {
  readonly busid: Busid;
  readonly untrustedName: string;
}

/**
 * Parses `/proc/bus/input/devices`. A keyboard is what can send SysRq: power buttons and loudspeakers are "kbd" as
 * well. One that is not on USB does not count: the controller of a PS/2 keyboard is there without a keyboard.
 */
export function parseKeyboards(text: string): Keyboard[] {
  return text.split(/\n\n+/).flatMap((entry) => {
    const handlers = /^H: Handlers=(.*)$/m.exec(entry)?.[1]?.split(' ') ?? [];
    const busid = ownerOf(/^S: Sysfs=(.*)$/m.exec(entry)?.[1] ?? '');
    if (busid === undefined || !handlers.includes('sysrq') || !handlers.includes('kbd')) return [];
    return { busid, untrustedName: /^N: Name="(.*)"$/m.exec(entry)?.[1] ?? '' };
  });
}

/**
 * The keyboards that are the last ones. `busids` are asked about; with `together` all of them go at once. The keyboard
 * that the board's own management controller imitates is no spare one: nobody may be sitting there.
 */
export function keyboardUses(
  keyboards: readonly Keyboard[],
  busids: ReadonlySet<Busid>,
  together: boolean,
): HostUse[] {
  const isSpare = (one: Keyboard, { busid }: Keyboard): boolean =>
    one.busid !== busid && !isVirtual(one) && !(together && busids.has(one.busid));
  return keyboards
    .filter(({ busid }) => busids.has(busid))
    .filter((keyboard) => !keyboards.some((one) => isSpare(one, keyboard)))
    .filter(({ busid }, at, all) => all.findIndex((other) => other.busid === busid) === at)
    .map(({ busid, untrustedName }) => describeUse({ busid, use: 'keyboard', untrustedName }));
}

function isVirtual({ untrustedName }: Keyboard): boolean {
  return /\bvirtual\b|\bKVM\b|\biDRAC\b|\biLO\b/i.test(untrustedName);
}
