/** Commands print the same and end alike, whether the daemon runs them for the launcher or the program itself does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runProgram } from '../../src/cli/program.js';
import { onTerminal } from '../cli/program.js';
import { openStage } from '../cli/stage.js';
import { ENV, launch, made, serving } from './launcher.js';

describe('a command by the launcher', { skip: made.skip }, () => {
  it('prints what it prints without', async () => {
    await using stage = await openStage();
    const environment = { ...stage.env };
    const env = { ...environment, ...ENV };
    await serving(
      runProgram,
      async () => {
        for (const argv of [
          ['list'],
          ['list', 'u9', '--json'],
          ['devices'],
          ['devices', '--frob'],
          ['attach', 'u1', '4-1', '--dry-run'],
          ['attach', '--help'],
          ['usb-list', 'u1'],
          ['usbdev-detach'],
          ['detach', '4-1'],
        ])
          assert.deepEqual(await launch(argv, env).ended(), await stage.run(...argv), argv.join(' '));
        assert.equal((await launch(['attach', 'u1', '4-1'], env).ended()).status, 0);
        assert.match(await stage.done('list', 'u1'), / 4-1 /);
        const narrow = await onTerminal(`stty cols 70; ${made.found} devices`, env).ended();
        const width = Math.max(...narrow.stdout.split(/\r?\n/).map((line) => line.length));
        assert.ok(width > 50 && width <= 70, narrow.stdout);
      },
      { environment },
    );
  });
});
