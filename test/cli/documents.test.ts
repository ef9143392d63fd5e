/** What the documents show is what the program prints. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readProjectFile } from '../architecture/sources.js';
import { openStage } from './stage.js';

/** What a document shows: each command line without its prompt and program, and its output. */
function shownIn(path: string): readonly { readonly command: string; readonly output: string }[] {
  const blocks = [...readProjectFile(path).matchAll(/^```\w*\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, block]) =>
    [...block!.matchAll(/^# pvusb (.*)\n((?:(?![#$] ).*\n)*)/gm)].map(([, command, output]) => ({
      command: command!,
      output: output!,
    })),
  );
}

/** Sessions on the recorded host; `devices` is left out, since the README shows another one. */
const SESSIONS: readonly (readonly [path: string, ...commands: string[]])[] = [
  ['README.md', 'attach u1 4-1', 'list u1', 'detach 4-1'],
  ['README.md', 'attach u1 4-1 --always', 'assignments'],
  ['docs/rules.md', 'attach u1 4-1 --always', 'assignments'],
];

describe('a session in a document', () => {
  for (const [path, ...commands] of SESSIONS) {
    it(`${path}: pvusb ${commands.join(', ')}`, async () => {
      const all = shownIn(path);
      const start = all.findIndex((_, at) =>
        commands.every((wanted, more) => all[at + more]?.command === wanted),
      );
      assert.ok(start >= 0, 'the document shows it');
      await using stage = await openStage();
      for (const { command, output } of all.slice(start, start + commands.length)) {
        assert.equal(await stage.done(...command.split(' ')), output, command);
      }
    });
  }
});
