/**
 * dom0's root file system: Debian packages, unpacked, with what their scripts would have created.
 *
 * No package script is run: that would need root, and a running system. What matters of what they would have done is
 * done here, and dpkg's database says that everything is installed, so that dpkg works in dom0.
 */
import { appendFile, copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';
import { unpack } from './packages.js';

/** Nobody reads them in dom0, and they make up a fifth of it. */
const LEFT_OUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/iso-codes/*'];

/** They are in no package. */
const FOLDERS = [
  ...['proc', 'sys', 'dev', 'run', 'tmp', 'mnt', 'opt', 'srv', 'media', 'host', 'root/.ssh'],
  ...['usr/local/bin', 'usr/local/sbin', 'usr/local/lib', 'var/lib/xen', 'var/log/xen/console'],
];

/** Makes the system from these packages in an empty folder. */
export async function makeSystem(root: string, debs: readonly string[]): Promise<void> {
  progress(`unpacking the ${debs.length} packages of dom0`);
  await mkdir(join(root, 'usr'), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', name));
    await symlink(`usr/${name}`, join(root, name));
  }
  const database = join(root, 'var/lib/dpkg');
  for (const folder of ['info', 'triggers', 'updates', 'parts', 'alternatives']) {
    await mkdir(join(database, folder), { recursive: true });
  }
  await writeFile(join(database, 'info/format'), '1\n');
  for (const deb of debs) {
    await unpack(deb, root, LEFT_OUT);
    await register(deb, root, database);
  }
  // Without a list of triggers, dpkg takes its database for one from before there were triggers, and fires all of them.
  for (const name of ['available', 'diversions', 'statoverride', 'triggers/Unincorp'])
    await writeFile(join(database, name), '');
  await finish(root);
}

/** Tells dpkg's database that a package is installed. */
async function register(deb: string, root: string, database: string): Promise<void> {
  const scratch = join(root, '.control');
  await run('dpkg-deb', ['-e', deb, scratch]);
  const control = await readFile(join(scratch, 'control'), 'utf8');
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(control)?.[1];
  const name = field('Package')!;
  // Only packages that can be installed for two architectures at once have the architecture in their file names.
  const isSame = field('Multi-Arch') === 'same';
  const prefix = join(database, 'info', isSame ? `${name}:${field('Architecture')}` : name);
  await appendFile(
    join(database, 'status'),
    `${control.replace(/^(Package: .*\n)/, '$1Status: install ok installed\n').trimEnd()}\n\n`,
  );
  const paths = await run('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -t', 'sh', deb]);
  await writeFile(
    `${prefix}.list`,
    paths
      .replace(/^\.\/?/gm, '/')
      .replace(/(?<=.)\/$/gm, '')
      .replace(/^\/$/m, '/.'),
  );
  for (const file of await readdir(scratch)) {
    if (file === 'control') continue;
    await copyFile(join(scratch, file), `${prefix}.${file}`);
    if (file === 'triggers') await registerTriggers(join(scratch, file), name, database);
  }
  await rm(scratch, { recursive: true });
}

async function registerTriggers(file: string, name: string, database: string): Promise<void> {
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [, noawait, path] = /^interest(?:-(noawait|await))?\s+(\S+)/.exec(line) ?? [];
    if (path === undefined) continue;
    const interested = noawait === 'noawait' ? `${name}/noawait` : name;
    if (path.startsWith('/')) await appendFile(join(database, 'triggers/File'), `${path} ${interested}\n`);
    else await appendFile(join(database, 'triggers', path), `${interested}\n`);
  }
}

/** What the packages' scripts would have created. */
async function finish(root: string): Promise<void> {
  const etc = join(root, 'etc');
  const share = join(root, 'usr/share');
  await copyFile(join(share, 'base-passwd/passwd.master'), join(etc, 'passwd'));
  await copyFile(join(share, 'base-passwd/group.master'), join(etc, 'group'));
  await copyFile(join(share, 'base-files/profile'), join(etc, 'profile'));
  await copyFile(join(share, 'libc-bin/nsswitch.conf'), join(etc, 'nsswitch.conf'));
  // "*" matches no password: dom0 is entered with a key.
  const users = (await readFile(join(etc, 'passwd'), 'utf8')).trimEnd().split('\n');
  await writeFile(
    join(etc, 'shadow'),
    users.map((line) => `${line.split(':')[0]}:*:19000:0:99999:7:::\n`).join(''),
    { mode: 0o640 },
  );
  // The groups named in udev's rules.
  const groups = ['input', 'sgx', 'kvm', 'render'].map((name, at) => `${name}:x:${101 + at}:\n`);
  await appendFile(join(etc, 'group'), groups.join(''));
  await writeFile(join(etc, 'shells'), '/bin/sh\n/bin/bash\n');
  await writeFile(join(etc, 'hostname'), `pvusb-lab\n`);
  await writeFile(join(etc, 'hosts'), '127.0.0.1 localhost pvusb-lab\n');
  await symlink('mawk', join(root, 'usr/bin/awk'));
  await symlink('which.debianutils', join(root, 'usr/bin/which'));
  for (const [name, target] of Object.entries({ run: '/run', lock: '/run/lock' })) {
    await rm(join(root, 'var', name), { recursive: true, force: true });
    await symlink(target, join(root, 'var', name));
  }
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true });
}

/** The packages' file names, which change when a package does. */
export function namesOf(debs: readonly string[]): string[] {
  return debs.map((deb) => basename(deb));
}
