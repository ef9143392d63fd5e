/** A backend of pvusb's own that runs beside a stage, as far as xenstore and /proc show it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { XenstoreClient } from '../../src/xenstore/index.js';
import type { Stage } from './stage.js';

/** Announces it (`/libxl/pvusb/backend`), as a process that is alive. */
export async function announceBackend({ dir }: Stage, dom0: XenstoreClient): Promise<void> {
  mkdirSync(join(dir, 'proc/4711'), { recursive: true });
  // proc_pid_stat(5): 18 fields are between the state and when it began.
  const fields = Array.from({ length: 18 }, () => '0').join(' ');
  writeFileSync(join(dir, 'proc/4711/stat'), `4711 (pvusb) S ${fields} 100`);
  await dom0.write('/libxl/pvusb/backend', '4711 100');
}
