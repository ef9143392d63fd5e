/** The command line of a QEMU that serves a guest's paravirtual devices. Pure. */

/** The guest that a QEMU is started for. */
export interface QemuGuest {
  readonly domid: number;
  readonly name: string;
  /** MiB; QEMU only keeps the number. */
  readonly memoryMib: number;
}

/**
 * What libxl starts for a PV guest (libxl_dm.c: libxl__build_device_model_args_new), with the same monitors at the same
 * places: libxl talks to it like to one of its own.
 */
export function qemuArguments({ domid, name, memoryMib }: QemuGuest, runRoot: string): string[] {
  const monitor = (id: string, socket: string): string[] => [
    '-chardev',
    `socket,id=${id},path=${runRoot}/${socket}-${domid},server=on,wait=off`,
    '-mon',
    `chardev=${id},mode=control`,
  ];
  return [
    ...['-xen-domid', String(domid)],
    '-no-shutdown',
    ...monitor('libxl-cmd', 'qmp-libxl'),
    ...monitor('libxenstat-cmd', 'qmp-libxenstat'),
    ...['-nodefaults', '-no-user-config', '-xen-attach'],
    // A comma would begin an option, and an equals sign would end the name of one.
    ...['-name', `guest=${name.replaceAll(',', ',,')}`],
    ...['-vnc', 'none', '-display', 'none', '-nographic'],
    ...['-machine', 'xenpv'],
    ...['-m', String(memoryMib)],
  ];
}

/** Whether a command line is that of a QEMU of a guest. Only the guest's name and memory are not looked at. */
export function isQemuOf(domid: number, runRoot: string, untrustedWords: readonly string[]): boolean {
  const own = qemuArguments({ domid, name: '', memoryMib: 0 }, runRoot);
  const fixed = own.slice(0, own.indexOf('-name'));
  // Whatever it is called: a wrapper's name is that of the interpreter.
  const at = untrustedWords.indexOf(fixed[0]!);
  return at > 0 && fixed.every((word, i) => untrustedWords[at + i] === word);
}

/** Bounds what guests can write to their consoles through it, as libxl does. */
export const QEMU_ENVIRONMENT = { XEN_QEMU_CONSOLE_LIMIT: '1048576' } as const;
