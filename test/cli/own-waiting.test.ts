/** The commands that wait for something: what they print meanwhile, and how Ctrl-C ends them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { describeEvent } from '../../src/cli/commands/watch.js';
import { runProgram } from '../../src/cli/program.js';
import type { WatchEvent } from '../../src/pvusb/watch/duty.js';
import { parseBusid } from '../../src/sysfs/index.js';
import { openStage, type Run, type Stage, terminalLike } from './stage.js';

/** What controls a terminal. */
const EVIL = '\u001b[2J\u009b31m\u202e\nDomain 0';
const STEERING = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

function isPlain(line: string): boolean {
  return !STEERING.test(line.replace(/\n$/, ''));
}

describe('a command that waits', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Runs a command, reports what it prints, and can interrupt it. */
  async function talk(
    argv: readonly string[],
    hears: (text: string, interrupt: () => void) => void,
  ): Promise<Run> {
    const control = new AbortController();
    const said = { stdout: '', stderr: '' };
    const print = (stream: keyof typeof said) => (text: string) => {
      said[stream] += text;
      hears(text, () => control.abort());
    };
    const terminal = terminalLike({
      out: print('stdout'),
      err: print('stderr'),
      env: stage.env,
      signal: control.signal,
    });
    return { status: await runProgram(terminal, argv), ...said };
  }

  it('for a domain says so without controlling the terminal, and ends as interrupted on Ctrl-C', async () => {
    const path = join(stage.dir, 'never.cfg');
    writeFileSync(path, 'name="a\u009b31mred\u202e"\nusbdev=["hostbus=4,hostaddr=2"]\n');
    const { status, stdout, stderr } = await talk(['prepare', path], (text, interrupt) => {
      if (text.includes('Waiting for it')) setImmediate(interrupt);
    });
    assert.deepEqual([status, stdout], [130, '']);
    assert.match(stderr, /^There is no domain "a\\x9b31mred\\u\{202e\}"\. Waiting for it \.\.\.\n/);
    assert.match(stderr, /\npvusb: Interrupted while [^\n]*\.\n[^\n]*\(aborted\)\n$/);
    assert.deepEqual(
      stderr.split('\n').filter((line) => !isPlain(line)),
      [],
    );
  });

  it('for guests prints one object per line with --json, safe to print', async () => {
    await stage.sim.store.handle(0).write('/local/domain/2/name', EVIL);
    const printed: string[] = [];
    const { status } = await talk(['watch', '--json'], (text, interrupt) => {
      printed.push(text);
      if (text.includes('"watching"')) void stage.run('attach', '2', '4-1');
      if (text.includes('"attached"')) interrupt();
    });
    assert.equal(status, 0);
    assert.deepEqual(
      printed.filter((line) => !isPlain(line)),
      [],
    );
    const told = printed
      .map((line): WatchEvent => JSON.parse(line))
      .find(({ event }) => event === 'attached');
    assert.deepEqual(told, { ...told, domid: 2, name: EVIL, busid: '4-1' });
  });

  it('for guests reports each event on one line, safe to print', () => {
    const at = { domid: 2, devid: 0, port: 1, busid: parseBusid('4-1')! };
    const events: WatchEvent[] = [
      { event: 'attached', ...at, name: EVIL },
      { event: 'returned', attachment: at, name: EVIL },
      { event: 'assigned', at, name: EVIL },
      { event: 'not-assigned', domid: 2, busid: '4-1', name: EVIL, why: 'It is a hub.' },
      { event: 'corrected', domid: 2, busid: at.busid, name: EVIL, hostbus: 4, hostaddr: 3 },
      { event: 'trouble', why: `${EVIL}: EIO.` },
      { event: 'mended', what: `${EVIL} was left.` },
      { event: 'not-returned', domid: 2, busid: '4-1', why: `${EVIL}.` },
      { event: 'gone', domid: 2, name: EVIL, busids: [] },
    ];
    for (const line of events.map(describeEvent)) {
      assert.ok(isPlain(line), JSON.stringify(line));
      assert.ok(line.includes('\\x1b[2J\\x9b31m\\u{202e}\\x0aDomain 0'), line);
    }
  });
});
