/** A real QEMU process, without Xen, whose guest is a few instructions of ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isQmpError, QmpClient } from '../../src/qmp/index.js';
import { HANG_MS } from '../support/hang.js';
import type { QemuKit } from './fetch.js';

const FIRMWARE_BYTES = 0x10000;
const GUEST_AT = 0xe000;
const RESET_AT = 0xfff0;

const INTERRUPT = Buffer.from([
  ...[0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58], // push ax; mov al, 0x20; out 0x20, al; pop ax
  0xcf, // iret
]);
const INTERRUPT_AT = GUEST_AT - INTERRUPT.length;

/**
 * A guest that lets go of every PCI device on request, as an operating system does through ACPI: registers of QEMU's
 * `acpi_pci_hotplug` (docs/specs): select bus at 0xae10, requests at 0xae04, eject at 0xae08. It runs only after
 * `cont`. Between two looks it halts until the timer's next tick: from a guest that never rests QEMU removes the
 * device, but sends DEVICE_DELETED only when the guest is stopped.
 */
const EJECTING_GUEST = Buffer.from([
  ...[0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0], // cli; xor ax, ax; mov ds, ax; mov ss, ax
  ...[0xbc, 0x00, 0x70], // mov sp, 0x7000
  ...[0xc7, 0x06, 0x20, 0x00, INTERRUPT_AT & 0xff, INTERRUPT_AT >> 8], // mov word [0x20], INTERRUPT_AT
  ...[0xc7, 0x06, 0x22, 0x00, 0x00, 0xf0], // mov word [0x22], 0xf000
  ...[0x11, 0x08, 0x04, 0x01, 0xfe].flatMap((al, at) => [0xb0, al, 0xe6, at === 0 ? 0x20 : 0x21]), // IRQ 0 only
  ...[0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x00, 0xe6, 0x40, 0xb0, 0x10, 0xe6, 0x40], // a tick every 3.4 ms
  ...[0xba, 0x10, 0xae, 0x66, 0x31, 0xc0, 0x66, 0xef], // mov dx, 0xae10; xor eax, eax; out dx, eax
  0xfb, // sti
  0xf4, // again: hlt
  ...[0xba, 0x04, 0xae, 0x66, 0xed], // mov dx, 0xae04; in eax, dx
  ...[0x66, 0x85, 0xc0, 0x74, 0xf5], // test eax, eax; jz again
  ...[0xba, 0x08, 0xae, 0x66, 0xef], // mov dx, 0xae08; out dx, eax
  ...[0xeb, 0xee], // jmp again
]);

/** A running QEMU. */
export interface RunningQemu {
  readonly socket: string;
  readonly process: ChildProcess;
  /** Ends it with a signal and waits for its end. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a machine of type `pc` whose guest is stopped until `cont`. */
export async function startQemu(kit: QemuKit): Promise<RunningQemu & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'pvusb-qmp-'));
  const socket = join(folder, 'qmp');
  const firmware = join(folder, 'guest.bin');
  await writeFile(firmware, ejectingFirmware());
  const monitor = `unix:${socket},server=on,wait=off`;
  // A processor without local APIC: the timer's interrupts reach it as on a 486.
  const machine = ['-M', 'pc', '-accel', 'tcg', '-cpu', '486', '-m', '16', '-bios', firmware];
  const process = spawn(
    kit.program,
    ['-no-user-config', '-nodefaults', '-display', 'none', '-S', ...machine, '-qmp', monitor],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...globalThis.process.env, ...kit.environment } },
  );
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, 'exit');
    process.kill(signal);
    await ended;
  };
  const dispose = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(process, socket);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { socket, process, kill, [Symbol.asyncDispose]: dispose };
}

function ejectingFirmware(): Buffer {
  const firmware = Buffer.alloc(FIRMWARE_BYTES, 0xf4);
  INTERRUPT.copy(firmware, INTERRUPT_AT);
  EJECTING_GUEST.copy(firmware, GUEST_AT);
  // jmp near, counted from its end.
  firmware[RESET_AT] = 0xe9;
  firmware.writeUInt16LE((GUEST_AT - (RESET_AT + 3)) & 0xffff, RESET_AT + 1);
  return firmware;
}

async function answering(process: ChildProcess, socket: string): Promise<void> {
  const untilMs = performance.now() + HANG_MS;
  for (;;) {
    try {
      const client = await QmpClient.open(socket);
      return client.close();
    } catch (error) {
      if (!isQmpError(error, 'unreachable')) throw error;
      if (process.exitCode !== null) throw new Error(`QEMU ended with ${process.exitCode}`);
      if (performance.now() > untilMs) throw new Error('QEMU does not start', { cause: error });
    }
    await sleep(10);
  }
}
