/** A simulated host that keeps what quiesced guests had in a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openQuiescedFiles } from '../../../src/quiesced/index.js';
import { openSimulated } from './test-host.js';

/** Opens it for one test. */
export async function openQuiescing(t: TestContext) {
  const lab = await openSimulated({});
  const root = mkdtempSync(join(tmpdir(), 'pvusb-quiesce-'));
  t.after(async () => {
    await lab[Symbol.asyncDispose]();
    rmSync(root, { recursive: true });
  });
  return { lab, root, quiesced: openQuiescedFiles(root) };
}
