// Compiles the launcher, where there is a C compiler: `node scripts/launcher.js FILE [PROGRAM]`.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, version } from './bundle.js';

const FLAGS = [
  ...['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'],
  ...['-fPIE', '-pie', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-fstack-clash-protection'],
  ...['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack', '-Wl,--build-id=none', '-s'],
];

/** Makes the launcher of this version, which starts `program` where no daemon answers; false without a C compiler. */
export function makeLauncher(file, program, compiler = process.env.CC || 'cc') {
  mkdirSync(dirname(file), { recursive: true });
  const names = { PVUSB_VERSION: version, ...(program === undefined ? {} : { PVUSB_PROGRAM_PATH: program }) };
  const defined = Object.entries(names).map(([name, value]) => `-D${name}=${JSON.stringify(value)}`);
  // From the project's folder, so that its path is not in the file.
  const args = [...FLAGS, ...defined, '-o', file, 'launcher/pvusb-launch.c'];
  const { error, status } = spawnSync(compiler, args, { cwd: root, stdio: 'inherit' });
  if (error?.code === 'ENOENT') return false;
  if (status !== 0) throw new Error(`${compiler} cannot compile the launcher`);
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , file = join(root, 'build/pvusb-launch'), program] = process.argv;
  if (!makeLauncher(file, program)) {
    console.error('There is no C compiler: no launcher is made.');
    process.exit(1);
  }
}
