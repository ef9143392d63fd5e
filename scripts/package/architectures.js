// The processors that packages are made for, by Debian's names, and what the program for each is made of.
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { root } from '../bundle.js';

const modules = join(root, 'packaging', 'node_modules');

/** What differs: how npm and the kernel call it, and the emulator of its programs. */
const NAMES = {
  amd64: { npm: 'x64', machine: 'x86_64', emulator: 'qemu-x86_64-static' },
  arm64: { npm: 'arm64', machine: 'aarch64', emulator: 'qemu-aarch64-static' },
};

/** Each with the Node that goes into its package, koffi's binary for it, and whether this machine runs its programs. */
export const ARCHITECTURES = Object.fromEntries(
  Object.entries(NAMES).map(([name, { npm, machine, emulator }]) => [
    name,
    {
      name,
      machine,
      emulator,
      runtime: join(modules, `node-linux-${npm}`),
      koffi: join(modules, `@koromix/koffi-linux-${npm}`),
      koffiFile: join(modules, `@koromix/koffi-linux-${npm}`, `linux_${npm}`, 'koffi.node'),
      isNative: platform() === 'linux' && arch() === npm,
    },
  ]),
);
