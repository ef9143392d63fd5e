/** What a launcher has handed over, as the audit has it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runProgram } from '../../src/cli/program.js';
import { runServed } from '../../src/cli/served-command.js';
import { auditEntry } from '../../src/daemon/index.js';
import { terminalLike } from '../cli/stage.js';
import { openSimulated } from '../core/support/test-host.js';
import { ROOT, Running } from './running.js';

it('a handed-over command that fails is written down with its code, not as a fault of the daemon', async () => {
  await using lab = await openSimulated({});
  await using running = new Running(lab);
  await running.ready();
  const terminal = terminalLike({});
  const run = (...argv: string[]): Promise<number> =>
    runServed(runProgram, running.daemon, terminal, argv, ROOT);
  assert.deepEqual([await run('attach', 'u1'), await run('detach', '4-9')], [2, 1]);
  const codes = running.records.map((record) => auditEntry(record, running.daemon.seen).error?.code);
  assert.deepEqual(codes, ['invalid-argument', 'no-such-device']);
});
