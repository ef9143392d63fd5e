/** The machine: QEMU's command line. */
import { join } from 'node:path';
import type { Built } from '../build/build.js';
import { imageFiles } from '../build/image.js';
import { kernelFiles } from '../build/kernel.js';
import { STICKS } from '../build/media.js';
import type { Suite } from '../debian/suites.js';
import { qemuDevice, USB_DEVICES, type UsbDevice } from './usb.js';

/** What can be chosen about a machine. */
export interface MachineOptions {
  /** The release of Debian that everything in it is from. */
  readonly release: Suite;
  /** `hvm`: a CPU with hardware virtualization, for PVH and HVM guests; PV guests are faster without it. */
  readonly cpu: 'hvm' | 'pv';
  /** Which xenstored: the C or the OCaml one. */
  readonly store: 'c' | 'o';
  /** dom0's first program. */
  readonly init: 'busybox' | 'systemd';
  /** Whether the real machine's virtualization is used. */
  readonly kvm: boolean;
  /** Whether time is instructions carried out: slow, but measurements repeat, however busy the real machine is. */
  readonly icount: boolean;
  /** A folder that appears in dom0 as `/host`. */
  readonly share: string;
}

/** Where the files of one machine are. */
export interface MachineFiles {
  readonly disk: string;
  readonly stick: (name: string) => string;
  /** Everything printed on the machine's serial port. */
  readonly console: string;
  readonly pid: string;
  readonly consoleSocket: string;
  readonly qmpSocket: string;
  /** What the device `audio` plays: a WAV file, whose header is only right once the machine has ended. */
  readonly sound: string;
  /** The other end of the device `serial`. */
  readonly serialSocket: string;
}

/** The files of a machine whose disks are in `folder`, and its sockets in another. */
export function machineFiles(folder: string, sockets: string): MachineFiles {
  return {
    disk: join(folder, 'disk.qcow2'),
    stick: (name) => join(folder, `${name}.qcow2`),
    console: join(folder, 'console.log'),
    pid: join(folder, 'qemu.pid'),
    consoleSocket: join(sockets, 'console'),
    qmpSocket: join(sockets, 'qmp'),
    sound: join(folder, 'sound.wav'),
    serialSocket: join(sockets, 'serial'),
  };
}

/**
 * QEMU's arguments for a machine whose ssh is on a port of this host; a warm one waits for its state. One CPU, since
 * labs run side by side: two emulated ones wait for each other.
 */
export function qemuArguments(
  name: string,
  built: Built,
  files: MachineFiles,
  sshPort: number,
  options: MachineOptions,
  isWarm: boolean,
): string[] {
  const { cpu, kvm, icount, share } = options;
  const xen = kernelFiles.xen(built.kernel);
  const linux = kernelFiles.vmlinux(built.kernel);
  const initramfs = imageFiles.initramfs(built.image);
  return [
    ...['-name', `pvusb-lab-${name}`, '-machine', 'pc', '-smp', '1', '-m', '3072'],
    ...['-accel', kvm ? 'kvm' : `tcg,thread=${icount ? 'single' : 'multi'},tb-size=512`],
    ...(icount ? ['-icount', 'shift=0'] : []),
    // EPYC, which also has SVM, makes dom0 crash under emulation.
    ...['-cpu', kvm ? 'host' : cpu === 'hvm' ? 'qemu64,+svm,+npt,+nrip-save' : 'Nehalem'],
    ...['-display', 'none', '-vga', 'none', '-nodefaults', '-no-reboot', '-daemonize', '-pidfile', files.pid],
    ...[
      '-chardev',
      `socket,id=console,path=${files.consoleSocket},server=on,wait=off,logfile=${files.console}`,
    ],
    ...['-serial', 'chardev:console', '-qmp', `unix:${files.qmpSocket},server=on,wait=off`],
    // A comma in a QEMU argument is doubled; here it also separates modules.
    ...['-kernel', xen, '-append', xenArguments()],
    ...[
      '-initrd',
      `${linux.replaceAll(',', ',,')} ${linuxArguments(options)},${initramfs.replaceAll(',', ',,')}`,
    ],
    ...json('blockdev', disk('root', files.disk)),
    ...['-device', 'virtio-blk-pci,drive=root', '-device', 'virtio-net-pci,netdev=net,romfile='],
    // Without it the kernel has no random numbers for minutes, and ssh waits for them.
    ...['-device', 'virtio-rng-pci'],
    ...['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${sshPort}-:22`],
    ...['-fsdev', `local,id=host,path=${share.replaceAll(',', ',,')},security_model=none,multidevs=remap`],
    ...['-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
    ...usbArguments(files, isWarm),
    ...(isWarm ? ['-incoming', 'defer'] : []),
  ];
}

function usbArguments(files: MachineFiles, isWarm: boolean): string[] {
  const devices: [string, UsbDevice][] = Object.entries(USB_DEVICES);
  return [
    ...['-device', 'qemu-xhci,id=xhci,p2=12,p3=12', '-device', 'usb-ehci,id=ehci'],
    ...['-device', 'piix3-usb-uhci,id=uhci', '-netdev', 'user,id=usbnet,restrict=on'],
    ...['-audiodev', `wav,id=sound,path=${files.sound.replaceAll(',', ',,')}`],
    ...['-chardev', `socket,id=serial,path=${files.serialSocket},server=on,wait=off`],
    ...Object.keys(STICKS).flatMap((name) => json('blockdev', disk(name, files.stick(name)))),
    ...devices
      .filter(([, device]) => !(isWarm && device.isUnsaved))
      .flatMap(([name, device]) => json('device', qemuDevice(name, device))),
  ];
}

/** A disk that disappears with the lab: nothing waits until it is written. */
function disk(name: string, path: string): object {
  const cache = { 'no-flush': true };
  return { driver: 'qcow2', 'node-name': name, cache, file: { driver: 'file', filename: path, cache } };
}

function json(option: string, value: object): string[] {
  return [`-${option}`, JSON.stringify(value)];
}

/** Xen without the mitigations that slow down an emulated machine. */
function xenArguments(): string {
  const dom0 = 'dom0_mem=1536M,max:1536M dom0_max_vcpus=1';
  const bare = 'spec-ctrl=no xpti=no pv-l1tf=off watchdog=0';
  return `console=com1 com1=115200,8n1 ${dom0} loglvl=info guest_loglvl=info noreboot=1 ${bare}`;
}

/** The same for Linux. */
function linuxArguments({ store, init }: MachineOptions): string {
  const bare = 'mitigations=off init_on_alloc=0 apparmor=0';
  const first = init === 'systemd' ? ' init=/lib/systemd/systemd systemd.show_status=error' : '';
  return `console=hvc0 net.ifnames=0 loglevel=6 ${bare} lab.store=${store}${first}`;
}
