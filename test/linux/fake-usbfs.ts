/** usbfs of the fake kernel: its structures and calls, by the numbers of the header. */
import type { Block, LentDevice, Transfer } from '../../src/backend/boundary.js';
import { parseDescriptors } from '../../src/usb/index.js';

const ENODEV = -19;
const EAGAIN = -11;
const EINVAL = -22;

/** The memory that calls name by addresses, and where calls are noted. */
interface KernelMemory {
  readonly calls: string[];
  at(address: number, bytes: number): DataView;
  blockOf(address: number): { readonly block: Block; readonly place: number };
}

/** What stands behind a descriptor. */
export interface OpenFile {
  ioctl(request: number, argument: number): number;
  later?(request: number, argument: number): Promise<number>;
  read?(address: number, bytes: number): number;
  write?(address: number, bytes: number): number;
  onWait?(onEvent: () => void, onLost: () => void): void;
  close(): void;
}

/** A device node of usbfs, open. */
export function usbfsFile(kernel: KernelMemory, device: LentDevice): OpenFile {
  const running = new Map<number, Transfer>();
  const claimed = new Set<number>();
  // Interfaces that drivers of the host have.
  const bound = new Set(interfacesOf(device));
  let [wake, lose]: (() => void)[] = [() => undefined, () => undefined];
  const ready = (): void => {
    kernel.calls.push('event');
    wake!();
  };
  device.start({ ready, gone: () => lose!() });
  const ioctl = (request: number, argument: number): number => {
    if (request === 0x551f) return { low: 1, full: 2, high: 3, super: 5 }[device.speed];
    if (request === 0x8038550a) {
      kernel.calls.push('submit');
      const { transfer, endpoint } = decode(kernel, argument);
      if (endpoint !== 0 && claimed.size === 0) return -2;
      running.set(argument, transfer);
      return device.submit(transfer);
    }
    if (request === 0x550b) {
      const transfer = running.get(argument);
      if (!transfer) return EINVAL;
      device.cancel(transfer);
      setImmediate(() => wake!());
      return 0;
    }
    if (request !== 0x4008550d) return EINVAL;
    const transfer = device.reap();
    if (!transfer) return EAGAIN;
    const [address] = [...running].find(([, one]) => one === transfer)!;
    running.delete(address);
    encode(kernel, address, transfer);
    kernel.at(argument, 8).setBigUint64(0, BigInt(address), true);
    return 0;
  };
  const later = async (request: number, argument: number): Promise<number> => {
    if (request === 0x5514) return device.reset();
    if (request === 0xc0185500) return control(kernel, argument);
    const view = kernel.at(argument, 8);
    const [first, second] = [view.getUint32(0, true), view.getUint32(4, true)];
    kernel.calls.push(`${request.toString(16)} ${first}`);
    if (request === 0x8108551b) {
      if (claimed.has(first)) return -16;
      if (!interfacesOf(device).includes(first)) return -2;
      bound.delete(first);
      claimed.add(first);
      return 0;
    }
    if (request === 0x80045510) return claimed.delete(first) ? 0 : EINVAL;
    if (request === 0x80085504) return device.setInterface(first, second);
    if (request === 0x80045515) return device.clearHalt(first);
    if (request === 0x80045505) return claimed.size + bound.size > 0 ? -16 : device.setConfiguration(first);
    return EINVAL;
  };
  return {
    ioctl,
    later,
    read: (address, bytes) => {
      const kept = device.untrustedDescriptors.subarray(0, bytes);
      const { block, place } = kernel.blockOf(address);
      block.bytes.set(kept, place);
      return kept.length;
    },
    onWait: (onEvent, onLost) => {
      [wake, lose] = [onEvent, onLost];
    },
    close: () => void device.close(),
  };
}

function control(kernel: KernelMemory, argument: number): number {
  const view = kernel.at(argument, 24);
  if (view.getUint8(0) !== 0x80) return -32;
  const { block, place } = kernel.blockOf(Number(view.getBigUint64(16, true)));
  if (view.getUint8(1) === 8) {
    // As QEMU's devices say after a migration, whatever their configuration is.
    block.bytes[place] = 0;
    return 1;
  }
  return -32;
}

function interfacesOf({ untrustedDescriptors, configuration }: LentDevice): number[] {
  const configurations = parseDescriptors(untrustedDescriptors)?.configurations ?? [];
  const current = configurations.find(({ value }) => value === configuration);
  return [...new Set(current?.settings.map((one) => one.interface))];
}

function decode(kernel: KernelMemory, address: number): { transfer: Transfer; endpoint: number } {
  const view = kernel.at(address, 56);
  const type = view.getUint8(0) as Transfer['type'];
  const { block, place } = kernel.blockOf(Number(view.getBigUint64(16, true)));
  const length = view.getInt32(24, true);
  const count = view.getInt32(36, true);
  const packets = kernel.at(address, 56 + 12 * count);
  const endpoint = view.getUint8(1);
  const isControl = type === 2;
  const transfer: Transfer = {
    type,
    endpoint,
    block,
    start: isControl ? place + 8 : place,
    length: isControl ? length - 8 : length,
    shortNotOk: (view.getUint32(8, true) & 1) !== 0,
    packets:
      type === 0
        ? {
            lengths: Int32Array.from({ length: count }, (_, at) => packets.getUint32(56 + 12 * at, true)),
            actualLengths: new Int32Array(count),
            statuses: new Int32Array(count),
          }
        : undefined,
    status: 0,
    actualLength: 0,
    startFrame: 0,
    errorCount: 0,
  };
  return { transfer, endpoint };
}

function encode(kernel: KernelMemory, address: number, { status, actualLength, packets }: Transfer): void {
  const count = packets?.lengths.length ?? 0;
  const view = kernel.at(address, 56 + 12 * count);
  view.setInt32(4, status === ENODEV ? -108 : status, true);
  view.setInt32(28, actualLength, true);
  for (let at = 0; at < count; at++) {
    view.setUint32(60 + 12 * at, packets!.actualLengths[at]!, true);
    view.setInt32(64 + 12 * at, packets!.statuses[at]!, true);
  }
}
