// A system with musl and busybox and nothing else: the archive says what to do there instead.
import { fetchMusl } from '../package/tools.js';
import { inNamespaces } from './roots.js';

/** busybox as every program, musl's loader, and the archive. */
const TRIAL = `
mount -t tmpfs none /mnt
mkdir -p /mnt/bin /mnt/lib /mnt/tmp /mnt/proc /mnt/dev
cp "$1/usr/bin/busybox" /mnt/bin/busybox
cp -L "$1/usr/lib/ld-musl-x86_64.so.1" /mnt/lib/
for name in $(/mnt/bin/busybox --list | grep -vx busybox); do ln -s busybox /mnt/bin/"$name"; done
cp "$2" /mnt/tmp/archive.tar.gz
exec chroot /mnt env -i PATH=/bin sh -c 'cd /tmp && tar -xzf archive.tar.gz && sh pvusb-*/install.sh'`;

/** Whether install.sh refuses there, in the sentence that says what to do. */
export async function tryWithoutGlibc(archive) {
  const { status, printed } = await inNamespaces(TRIAL, { args: [await fetchMusl(), archive] });
  const isTried =
    status === 1 && /this system has musl/.test(printed) && /npm install --global/.test(printed);
  if (!isTried) console.error(printed);
  return { isTried, system: 'busybox on musl: install.sh refuses, and names npm' };
}
