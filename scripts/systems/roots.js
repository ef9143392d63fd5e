// Root file systems of Debian and Ubuntu, made by debootstrap and kept in a cache, and namespaces to use them in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fetchDebootstrap, fetchKeyring, findMirror } from '../package/tools.js';

/** The systems, by the names that test-systems.js takes. */
export const SYSTEMS = {
  'debian-12': { suite: 'bookworm', archive: 'Debian', architectures: ['amd64', 'arm64'] },
  'debian-13': { suite: 'trixie', archive: 'Debian', architectures: ['amd64', 'arm64'] },
  'debian-sid': { suite: 'sid', archive: 'Debian', architectures: ['amd64'] },
  'ubuntu-24.04': { suite: 'noble', archive: 'Ubuntu', architectures: ['amd64'] },
  'ubuntu-26.04': { suite: 'resolute', archive: 'Ubuntu', architectures: ['amd64'] },
};

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pvusb-systems');

/** What tells the kernel that a file is a program for Arm, and the mask for it. */
const ARM_PROGRAM =
  ':arm64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:' +
  '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:';

/**
 * Runs a shell script as root of namespaces of its own, with programs for Arm run by `emulator` if it is given; gives
 * its status and what it printed. The machine itself is not changed: its binfmt_misc belongs to the namespaces too.
 */
export async function inNamespaces(script, { emulator, args = [] } = {}) {
  const register =
    emulator === undefined
      ? ''
      : `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' '${ARM_PROGRAM}${emulator}:F' > /proc/sys/fs/binfmt_misc/register`;
  const whole = `set -eu\nmount -t proc proc /proc\n${register}\n${script}`;
  // Only a user namespace has a binfmt_misc of its own; without one devices can be made.
  const user = emulator === undefined ? [] : ['--user'];
  // Capabilities come with the second exec, when the namespace knows who root is.
  const begin = ['sh', '-c', 'echo ready; read go; exec sh -c "$@"', 'sh', whole, 'sh', ...args];
  const child = spawn('unshare', [...user, '--mount', '--pid', '--fork', '--kill-child', ...begin], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== 'ready') {
      printed += `${line}\n`;
      continue;
    }
    if (emulator !== undefined) {
      for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${child.pid}/${map}`, '0 0 65536');
    }
    child.stdin.end('go\n');
  }
  const [status] = await ended;
  return { status, printed };
}

/** It need not be installed; the first argument is the folder that it is in. */
const DEBOOTSTRAP = `
program=$1
shift
export DEBOOTSTRAP_DIR="$program/usr/share/debootstrap"
exec "$program/usr/sbin/debootstrap" "$@"`;

/** Devices cannot be made in a user namespace, as in a container of LXC: they are the machine's. */
const SECOND_STAGE = `
mount -t tmpfs none "$1/dev"
for name in null zero full random urandom tty; do
  touch "$1/dev/$name"
  mount --bind "/dev/$name" "$1/dev/$name"
done
exec env container=lxc chroot "$1" /debootstrap/debootstrap --second-stage`;

/** The root file system of a system, made unless the cache has it. It is not changed: trials are made in copies. */
export async function provideRoot(name, architecture, { isNative, emulator }) {
  const { suite, archive } = SYSTEMS[name];
  const folder = join(cache, `${suite}-${architecture}`);
  if (existsSync(folder)) return folder;
  console.log(`# making the root file system of ${name} for ${architecture}`);
  const made = `${folder}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const mirror = await findMirror(archive);
  const keyring = await fetchKeyring(archive);
  const program = await fetchDebootstrap();
  // A suite that debootstrap does not know is like those before it.
  const usual = archive === 'Ubuntu' ? 'gutsy' : 'sid';
  const recipes = join(program, 'usr/share/debootstrap');
  const known = join(recipes, 'scripts', suite);
  const recipe = existsSync(known) ? known : join(recipes, 'scripts', usual);
  const first = ['--variant=minbase', `--arch=${architecture}`, `--keyring=${keyring}`];
  if (!isNative) first.push('--foreign');
  await mustRun(DEBOOTSTRAP, { args: [program, ...first, suite, made, mirror, recipe] });
  if (!isNative) {
    await mustRun(SECOND_STAGE, { args: [made], emulator });
  }
  await mustRun('rm -rf "$1"/var/cache/apt/archives/*.deb', { args: [made] });
  renameSync(made, folder);
  return folder;
}

async function mustRun(script, options) {
  const { status, printed } = await inNamespaces(script, options);
  if (status !== 0) throw new Error(`${script} ${options.args.join(' ')}: ${printed.slice(-2000)}`);
}
