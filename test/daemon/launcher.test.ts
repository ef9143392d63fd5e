/** The launcher and the daemon's side of it, together: the real program in C, and commands that the test answers. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import type { CommandTerminal, RunCommand } from '../../src/daemon/command-line.js';
import { answerFrame } from '../../src/daemon/command-request.js';
import { onTerminal, Program } from '../cli/program.js';
import { answering, ENV, FULL_RUN, launch, listening, made, PATH, serving } from './launcher.js';

describe('the launcher', { skip: made.skip }, () => {
  it('has the daemon run a command, and gives its output and its status', async () => {
    const asked: (readonly string[])[] = [];
    await serving(
      async (terminal, argv, by) => {
        asked.push([by.name, ...argv]);
        terminal.out('räum auf\n');
        terminal.err('wörds\n');
        terminal.out('x'.repeat(300_000));
        return 3;
      },
      async () => {
        const { status, stdout, stderr } = await launch(['attach', 'u1', '', 'a b', '--force=é']).ended();
        assert.deepEqual([status, stdout.length, stderr], [3, 300_009, 'wörds\n']);
        assert.equal(stdout.slice(0, 9), 'räum auf\n');
        assert.deepEqual(asked, [['root', 'attach', 'u1', '', 'a b', '--force=é']]);
      },
    );
  });

  it('passes on widths, environment and whether progress is shown', async () => {
    const seen: CommandTerminal[] = [];
    await serving(
      async (terminal) => {
        seen.push(terminal);
        return 0;
      },
      async () => {
        await launch(['list']).ended();
        await launch(['list'], { COLUMNS: '0099' }).ended();
        await launch(['list'], { COLUMNS: '123456', XENSTORED_PATH: '', SECRET: 'x' }).ended();
        const tty = `stty cols 61; ${made.found} list; NO_COLOR=1 ${made.found} list; TERM=dumb ${made.found} list`;
        await onTerminal(tty, ENV).ended();
      },
    );
    const told = seen.map(({ columns, errColumns, showsProgress }) => [columns, errColumns, showsProgress]);
    const [none, wide] = [
      [undefined, undefined, false],
      [99, 99, false],
    ];
    assert.deepEqual(told, [none, wide, none, [61, 61, true], [61, 61, false], [61, 61, false]]);
    assert.deepEqual(Object.keys(seen[2]!.env).sort(), [
      'COLUMNS',
      'LC_ALL',
      'PVUSB_COMMAND_SOCKET',
      'XENSTORED_PATH',
    ]);
  });

  it('passes on the first two interruptions, and ends at the third', async () => {
    let heard = 0;
    const started: (() => void)[] = [];
    await serving(
      async (terminal) => {
        const aborted = new Promise((resolve) => terminal.signal.addEventListener('abort', resolve));
        started.shift()?.();
        await aborted;
        heard++;
        terminal.out('undone\n');
        return 130;
      },
      async () => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
          const ready = new Promise<void>((resolve) => started.push(resolve));
          const one = launch(['attach', 'u1', '4-1']);
          await ready;
          one.child.kill(signal);
          assert.deepEqual(await one.ended(), { status: 130, stdout: 'undone\n', stderr: '' });
        }
      },
    );
    assert.equal(heard, 3);
    const bytes: Buffer[] = [];
    let three: Program | undefined;
    await listening(
      createServer((socket) => {
        socket.on('data', (chunk: Buffer) => {
          bytes.push(chunk);
          if (bytes.length <= 3) three?.child.kill('SIGINT');
        });
      }),
      async () => {
        three = launch(['attach', 'u1', '4-1']);
        assert.equal((await three.ended()).status, 130);
      },
    );
    assert.deepEqual(bytes.slice(1, 3).map(String), ['i\0\0\0\0', 'i\0\0\0\0']);
  });
  it('starts the full program without a daemon, and for what the daemon does not serve', async () => {
    assert.deepEqual(await launch(['list', 'u1']).ended(), FULL_RUN('list u1'));
    writeFileSync(PATH, '');
    assert.deepEqual(await launch(['attach', 'u1', '4-1']).ended(), FULL_RUN('attach u1 4-1'));
    rmSync(PATH);
    await serving(
      async () => assert.fail('nothing is handed over'),
      async () => {
        assert.deepEqual(await launch(['doctor', '--fix']).ended(), FULL_RUN('doctor --fix'));
        assert.deepEqual(await launch([]).ended(), FULL_RUN(''));
        assert.deepEqual(await launch(['list', 'x'.repeat(120_000), 'y'.repeat(20_000)]).ended(), {
          ...FULL_RUN(`list ${'x'.repeat(120_000)} ${'y'.repeat(20_000)}`),
        });
      },
    );
    const { status, stderr } = await launch(['sim'], { PVUSB_PROGRAM: '/nonexistent/pvusb' }).ended();
    assert.deepEqual(
      [status, stderr],
      [3, 'pvusb: /nonexistent/pvusb cannot be started: No such file or directory.\n'],
    );
  });

  it('starts the full program when it is declined: other version, other host, other folder, too many', async () => {
    const declined = async (env: Record<string, string> = {}, ...argv: string[]): Promise<void> => {
      const words = ['attach', 'u1', '4-1', ...argv];
      assert.deepEqual(await launch(words, env).ended(), FULL_RUN(words.join(' ')));
    };
    const never: RunCommand = async () => assert.fail('it is declined');
    await serving(never, () => declined(), { version: '9.9.9' });
    await serving(never, () => declined({ XENSTORED_PATH: '/elsewhere' }));
    await serving(never, () => declined(), { environment: { PVUSB_RULES: '/srv/rules' } });
    await serving(never, () => declined({}, '--sysfs-root=/tmp'));
    await serving(never, () => declined(), { serves: () => false });
    await serving(never, () => declined(), { commandsMax: 0 });
    await answering(
      (socket) => socket.end(answerFrame('n')),
      () => declined(),
    );
  });

  it('says so when the daemon goes away in the middle', async () => {
    const gone = {
      status: 5,
      stderr: 'pvusb: The daemon has gone away in the middle of the command.\nRun "pvusb doctor".\n',
    };
    await answering(
      (socket) => socket.destroy(),
      async () => {
        assert.deepEqual(await launch(['attach', 'u1', '4-1']).ended(), { ...gone, stdout: '' });
        // Nothing is lost by doing it again.
        assert.deepEqual(await launch(['devices']).ended(), FULL_RUN('devices'));
      },
    );
    const half = Buffer.concat([answerFrame('o', 'half a '), answerFrame('o', 'word').subarray(0, 7)]);
    await answering(
      (socket) => socket.end(half),
      async () => {
        assert.deepEqual(await launch(['devices']).ended(), { ...gone, stdout: 'half a wo' });
      },
    );
    await serving(
      async () => Promise.reject(new Error('a bug')),
      async () => {
        const { status, stderr } = await launch(['list']).ended();
        assert.deepEqual(
          [status, stderr.split('\n')[0]],
          [5, 'pvusb: The command has failed inside the daemon; its log says why.'],
        );
      },
    );
  });

  it('takes no garbage for an answer', async () => {
    for (const garbage of [
      'HTTP/1.1 400 Bad Request\r\n\r\n',
      'x\0\0\0\x0412345',
      'x\0\0\0\x011x',
      'x\0\0\0\x02-1',
      'n\0\0\0\x01n',
    ])
      await answering(
        (socket) => socket.end(garbage, 'latin1'),
        async () => {
          const { status, stdout } = await launch(['detach', '4-1']).ended();
          assert.deepEqual([status, stdout], garbage.startsWith('x\0\0\0\x011') ? [1, ''] : [5, ''], garbage);
        },
      );
  });

  it('tells when output cannot be written, in the words of the full program', async () => {
    const run: RunCommand = async (terminal, argv) => {
      terminal.out('a table\n');
      return argv.includes('u9') ? 1 : 0;
    };
    await serving(run, async () => {
      const shell = async (command: string) => {
        const { stdout, stderr } = await new Program(
          'sh',
          ['-c', command.replaceAll('pvusb', made.found!)],
          ENV,
        ).ended();
        return `${stdout}${stderr}`;
      };
      const why = 'no space left on device (ENOSPC).\n';
      assert.equal(
        await shell('pvusb list >/dev/full; echo $?'),
        `6\npvusb: The command did its work, but its output could not be written: ${why}`,
      );
      assert.equal(
        await shell('pvusb list u9 >/dev/full; echo $?'),
        `1\npvusb: The command's output could not be written: ${why}`,
      );
      assert.equal(await shell('{ pvusb list; echo $? >&2; } | true'), '0\n');
      assert.equal(await shell('pvusb list >&- ; echo $?'), '0\n');
      assert.equal(await shell('pvusb list <&- 2>&- ; echo $?'), 'a table\n0\n');
    });
  });

  it('does not believe a stranger who listens in the daemon’s place', async (t) => {
    if (process.getuid?.() !== 0) return t.diagnostic('only root can be another user');
    const script =
      'import os,socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\nos.chmod(sys.argv[1],0o666)\nos.setuid(65534)\n' +
      's.listen()\nprint("ready",flush=True)\nc,_=s.accept()\nsys.exit(len(c.recv(100)))';
    const stranger = new Program('python3', ['-c', script, PATH]);
    await stranger.says('ready');
    // The credentials are those of whoever listened.
    assert.deepEqual(await launch(['list']).ended(), FULL_RUN('list'));
    assert.equal((await stranger.ended()).status, 0);
    rmSync(PATH);
  });
});
