/** Which kernel modules a system gets: those it needs, with everything they depend on. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { run } from '../base/process.js';

/** What dom0 needs to reach its root disk. */
export const ROOT_DISK = ['virtio_pci', 'virtio_blk', 'ext4'];

/** What dom0 has: Xen's drivers, the network, USB controllers, drivers of the USB devices, what is made of disks. */
const DOM0 = [
  ...ROOT_DISK,
  ...[
    'virtio_net',
    'virtio_rng',
    '9pnet_virtio',
    '9p',
    'loop',
    'vfat',
    'nls_cp437',
    'nls_ascii',
    'nls_utf8',
    'bridge',
    'tun',
  ],
  ...['xen-evtchn', 'xen-gntdev', 'xen-gntalloc', 'xen-privcmd', 'xenfs', 'xen-netback', 'xen-blkback'],
  ...['xhci_pci', 'ehci_pci', 'uhci_hcd', 'usbmon', 'usb_storage', 'uas', 'sd_mod', 'sr_mod'],
  ...['usbhid', 'hid_generic', 'evdev', 'ftdi_sio', 'snd-usb-audio', 'cdc_ether', 'rndis_host', 'cdc_subset'],
  ...['dummy_hcd', 'libcomposite', 'usb_f_ss_lb', 'configfs', 'usbtest'],
  ...['dm-mod', 'dm-crypt', 'algif_skcipher', 'xts', 'sha256_generic', 'raid1', 'btrfs'],
];

/** What guests have: PVUSB's frontend, emulated controllers, and drivers for some of the devices. */
export const GUEST = [
  ...['ehci_pci', 'uhci_hcd', 'xhci_pci', 'usb_storage', 'sd_mod', 'usbhid', 'hid_generic', 'evdev'],
  ...[
    'ftdi_sio',
    'snd-usb-audio',
    'snd-pcm-oss',
    'cdc_ether',
    'usbtest',
    'vfat',
    'nls_cp437',
    'nls_ascii',
    'nls_utf8',
  ],
];

/** All modules of a kernel that are used. */
export const ALL_MODULES = [...new Set([...DOM0, ...GUEST])];

/** What newer kernels call a module; there it may also be built in. */
const LATER_NAMES: Readonly<Record<string, string>> = { sha256_generic: 'sha256' };

/** The files of modules and of everything they depend on, each after what it depends on. */
export async function moduleFiles(
  root: string,
  release: string,
  names: readonly string[],
): Promise<string[]> {
  const dependencies = await readFile(join(root, 'lib/modules', release, 'modules.dep'), 'utf8');
  const known = names.map((name) => {
    const later = LATER_NAMES[name];
    return later === undefined || dependencies.includes(`/${name}.ko`) ? name : later;
  });
  const lines = await run('modprobe', ['-d', root, '-S', release, '--show-depends', '-a', ...known]);
  return [...new Set([...lines.matchAll(/^insmod (\S+)/gm)].map(([, file]) => file!))];
}

/** Puts a kernel's modules into a system, and our own next to them. */
export async function installModules(
  system: string,
  kernelRoot: string,
  release: string,
  own: readonly string[],
): Promise<void> {
  const from = join(kernelRoot, 'lib/modules', release);
  const to = join(system, 'usr/lib/modules', release);
  const files = await moduleFiles(kernelRoot, release, DOM0);
  const lists = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'].map((name) =>
    join(from, name),
  );
  for (const file of [...files, ...lists]) {
    const target = join(to, relative(from, file));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(file, target);
  }
  await mkdir(join(to, 'extra'), { recursive: true });
  for (const file of own) await copyFile(file, join(to, 'extra', basename(file)));
  await run('depmod', ['-b', system, release]);
}
