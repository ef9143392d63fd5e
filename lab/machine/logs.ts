/** Everything that shows what happened in a lab, kept in one folder. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineFiles } from './machine.js';
import { quote, type Ssh } from './ssh.js';

/** The commands for dom0, by the names of the files for their output. */
const DOM0 = {
  'dmesg.txt': 'dmesg',
  'drivers.txt': 'usb-drivers',
  'xenstore.txt': 'xenstore-ls -fp /',
  'domains.txt': 'xl list; xl usb-list 0; for d in $(xenstore-list /local/domain); do xl usb-list $d; done',
  'processes.txt': 'ps -ef',
  'xen.txt': 'xl dmesg',
};

/** The command for each guest. */
const GUEST = 'usb-list; dmesg';

/** Fills a folder: the machine's console, what dom0 and its guests report now, and Xen's logs and files. */
export async function keepLogs(folder: string, files: MachineFiles, ssh: Ssh): Promise<void> {
  await mkdir(folder, { recursive: true });
  // Logs are kept when something is already wrong: what is not available must not prevent the rest.
  const attempt = async (what: string, body: () => Promise<void>): Promise<void> => {
    await body().catch((error: unknown) => writeFile(join(folder, `${what}.missing`), String(error)));
  };
  await attempt('console', () => copyFile(files.console, join(folder, 'console.log')));
  for (const [name, command] of Object.entries(DOM0)) {
    await attempt(name, async () => {
      const { stdout, stderr } = await ssh.run(command);
      await writeFile(join(folder, name), stdout + stderr);
    });
  }
  for (const path of ['/var/log/xen', '/var/lib/xen'])
    await attempt(path.slice(5, 8), () => ssh.pull(path, folder));
  await attempt('guests', async () => {
    const { stdout } = await ssh.run('xl list');
    for (const name of stdout
      .split('\n')
      .slice(2)
      .map((line) => line.split(' ')[0]!)) {
      if (name === '') continue;
      const asked = await ssh.run(`guest-exec ${quote(name)} ${quote(GUEST)} 10`);
      await writeFile(join(folder, `guest-${name}.txt`), asked.stdout + asked.stderr);
    }
  });
}
