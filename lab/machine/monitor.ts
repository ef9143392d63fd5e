/** Commands for the machine's QEMU. */
import { QmpClient } from '../../src/qmp/index.js';
import { LabError } from '../base/error.js';
import { qemuDevice, type UsbDevice } from './usb.js';

/** A machine's state is a few hundred MB. */
const STATE_WITHIN_MS = 180_000;

/** Plugs a device in. */
export async function plugIn(socket: string, id: string, device: UsbDevice): Promise<void> {
  await using qemu = await QmpClient.open(socket);
  await qemu.execute('device_add', qemuDevice(id, device));
}

/** Pulls a device out, and waits until it is gone. */
export async function pullOut(socket: string, id: string): Promise<void> {
  await using qemu = await QmpClient.open(socket);
  using deleted = qemu.expectEvent('DEVICE_DELETED', ({ device }) => device === id);
  await qemu.execute('device_del', { id });
  await deleted.arrived;
}

/** Stops the machine and writes its state, except the disks, to a file. */
export async function saveState(socket: string, file: string): Promise<void> {
  await using qemu = await QmpClient.open(socket);
  await qemu.execute('stop');
  await qemu.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  await migrate(qemu, 'migrate', `exec:cat > ${shellWord(file)}`);
}

/** Loads the state into a machine that waits for it, and lets it run. */
export async function loadState(socket: string, file: string): Promise<void> {
  await using qemu = await QmpClient.open(socket);
  await migrate(qemu, 'migrate-incoming', `exec:cat ${shellWord(file)}`);
  await qemu.execute('cont');
}

/** Ends QEMU. */
export async function quit(socket: string): Promise<void> {
  await using qemu = await QmpClient.open(socket);
  await qemu.execute('quit');
}

async function migrate(qemu: QmpClient, command: string, uri: string): Promise<void> {
  await qemu.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
  const isEnd = (status: unknown) => status === 'completed' || status === 'failed';
  using ended = qemu.expectEvent('MIGRATION', ({ status }) => isEnd(status), { withinMs: STATE_WITHIN_MS });
  await qemu.execute(command, { uri });
  const { data } = await ended.arrived;
  if (data.status === 'completed') return;
  throw new LabError(`QEMU: ${command} of ${uri} failed; remove the snapshot: npm run lab -- forget`);
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
