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

/** Bounds what guests can write to their consoles through it, as libxl does. */
export const QEMU_ENVIRONMENT = { XEN_QEMU_CONSOLE_LIMIT: '1048576' } as const;
