import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageType } from '../../src/xenstore/wire.js';
import { startDaemon } from './daemon.js';
import { kitOrSkip } from './fetch.js';
import { connectRaw } from './raw.js';

const { skip } = await kitOrSkip();

/** Whether a process is running; an orphan that has not been reaped yet is not. */
async function lives(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

// The test runner does not count a skipped group; it does count a skipped test.
if (skip !== false) test('the harness of the real daemons', { skip });
for (const kind of ['c', 'o'] as const) {
  describe(`the harness of the daemon ${kind}`, { skip }, () => {
    test("Debian's programs see domain 0 and the guests", async () => {
      const daemon = await startDaemon(kind);
      try {
        const guest = await connectRaw((await daemon.guest(7)).socket);
        await guest.call(MessageType.write, 'data/a\x001');
        await guest.call(MessageType.write, 'data/a/b-c\0\x01"\\\t\xff');
        await guest.call(MessageType.setPermissions, 'data/a\0r7\0b0\0');
        const listed = await daemon.tools.run('xenstore-ls', ['-fp', '/']);
        assert.equal(listed.status, 0);
        assert.equal(
          await daemon.dump(),
          listed.stdout
            .split(/(?<=\n)/)
            .sort()
            .join(''),
        );
        assert.match(listed.stdout, /^\/local\/domain\/0\/name = "Domain-0" {3}\(n0\)$/m);
        assert.match(listed.stdout, /^\/local\/domain\/7\/data\/a = "1" {3}\(r7,b0\)$/m);
        const missing = await daemon.tools.run('xenstore-read', ['/none']);
        assert.equal(missing.status, 1);
        await daemon.kill(7);
        await guest.untilClosed();
      } finally {
        await daemon.stop();
      }
    });

    test('a stopped daemon leaves no process and no folder', async () => {
      const daemon = await startDaemon(kind);
      const client = await connectRaw(daemon.socket);
      await daemon.stop();
      await client.untilClosed();
      assert.equal(await lives(daemon.pid), false);
      assert.equal(existsSync(daemon.folder), false);
    });

    test('a daemon ends with the process that started it, even if that is killed', async () => {
      const script = `
        const { startDaemon } = await import(${JSON.stringify(new URL('daemon.js', import.meta.url).href)});
        const daemon = await startDaemon('${kind}');
        process.stdout.write(JSON.stringify({ pid: daemon.pid, folder: daemon.folder }));
        setInterval(() => {}, 1000);`;
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const [told] = await once(child.stdout, 'data');
        const { pid, folder } = JSON.parse(String(told)) as { pid: number; folder: string };
        child.kill(signal);
        await once(child, 'exit');
        while (await lives(pid)) await sleep(5);
        if (signal === 'SIGTERM') assert.equal(existsSync(folder), false);
        else await rm(folder, { recursive: true });
      }
    });
  });
}
