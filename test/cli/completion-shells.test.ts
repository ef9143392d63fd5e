/** The completion scripts in the shells that they are for, with typing on terminals. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { onTerminal, pvusb, SHELL_COMMAND } from './program.js';
import { shellOrSkip } from './shells.js';
import { addVirtual, openStage, type Stage } from './stage.js';

const [TAB, KILL_LINE] = ['\t', '\u0015'];

/** Shows that a shell reads lines by itself: before that the terminal would edit them. */
const PROMPT = 'ready> ';

/** How a shell is made to read a script, twice, and to complete a word rather than to expand it. */
const WAYS: readonly { readonly name: string; readonly start: string; readonly setup: string }[] = [
  {
    name: 'bash',
    start: '--noprofile --rcfile "$RC" -i',
    setup: `set -u; source "$SCRIPT"; source "$SCRIPT"; PS1='${PROMPT}'`,
  },
  {
    name: 'zsh',
    start: '-i',
    setup: `fpath+=("$FUNCTIONS"); autoload -U compinit; compinit -u -d "$DUMP"; bindkey '^I' complete-word; PS1='${PROMPT}'`,
  },
  {
    name: 'zsh',
    start: '-i',
    setup:
      `autoload -U compinit; compinit -u -d "$DUMP"; bindkey '^I' complete-word\n` +
      `source "$SCRIPT"; source "$SCRIPT"; PS1='${PROMPT}'`,
  },
  {
    name: 'fish',
    start: '--no-config -i -C \'source "$RC"\'',
    setup: `source "$SCRIPT"; source "$SCRIPT"; function fish_prompt; echo '${PROMPT}'; end`,
  },
];

/** What would run if a shell evaluated what was typed; each would create a file with a different name. */
const EVIL = [
  'pvusb attach $(touch 1) ',
  'pvusb attach `touch 2` ',
  'pvusb attach u1 $(touch 3)',
  'pvusb attach u1 `touch 4`',
  'pvusb attach "$(touch 5)" ',
  'pvusb attach "$(touch 6)',
  'pvusb $(touch 7) ',
  'pvusb apply u1 $(touch 8)',
  'pvusb apply u1 `touch 9`',
  'pvusb apply u1 `touch 10`/',
  'pvusb apply u1 $(touch 11)/',
  'pvusb sim --dir=$(touch 12)/',
  'pvusb sim --dir `touch 13`/',
  'pvusb sim --world=`touch 14`/',
  'pvusb attach $'.concat('{a[$(touch 15)]} '),
  'pvusb controller add --type=$(touch 16)',
  'pvusb list u1:$(touch 17):',
];

/** What pvusb has answered: the shells ask the same questions, about hosts that are alike. */
const answers = mkdtempSync(join(tmpdir(), 'pvusb-answers-'));
// Not after the suites of this file: while a shell is downloaded, those that are known already may all have ended.
process.once('exit', () => rmSync(answers, { recursive: true }));

for (const { name, start, setup } of WAYS) {
  const { found: kit, skip } = await shellOrSkip(name);
  describe(`completion by ${name}${setup.includes('FUNCTIONS') ? ', which finds the script' : ''}`, {
    skip,
  }, () => {
    let stage: Stage;
    let folder: string;
    before(async () => {
      stage = await openStage();
      await stage.done('attach', 'u1', '4-1');
      await addVirtual(stage, 'stick:/srv/a.img');
      folder = mkdtempSync(join(tmpdir(), 'pvusb-shell-'));
      for (const part of ['bin', 'functions', 'work', 'work/folder']) mkdirSync(join(folder, part));
      for (const file of ['work/guest.cfg', 'asked', 'run']) writeFileSync(join(folder, file), '');
      const script = await pvusb(['completion', name]);
      assert.deepEqual([script.status, script.stderr], [0, '']);
      for (const file of ['script', 'functions/_pvusb']) writeFileSync(join(folder, file), script.stdout);
      // zsh reads .zshrc in ZDOTDIR.
      for (const rc of ['rc', '.zshrc']) writeFileSync(join(folder, rc), `${kit!.prelude}${setup}\n`);
      const stand = join(folder, 'bin', 'pvusb');
      // The shell's queries are answered, if need be by asking until a busy machine has an answer; what it runs is
      // recorded.
      const lines = [
        '#!/bin/sh',
        'to=run; [ "$1" = complete ] && to=asked',
        `printf '[%s]' "$@" >> "${folder}/$to"; echo >> "${folder}/$to"`,
        '[ $to = run ] && exit',
        '[ "$ANSWER" ] && printf "%b\\n" "$ANSWER" && exit',
        `known="${answers}/$(printf '[%s]' "$@" | tr / :)"`,
        `until [ -s "$known" ] || [ ! -d "${answers}" ]; do`,
        `  ${SHELL_COMMAND} "$@" > "$known.$$"`,
        '  mv "$known.$$" "$known"',
        'done',
        'cat "$known"',
      ];
      writeFileSync(stand, lines.join('\n'));
      chmodSync(stand, 0o755);
    });
    after(async () => {
      rmSync(folder, { recursive: true });
      await stage[Symbol.asyncDispose]();
    });

    const linesOf = (file: string): string[] => readFileSync(join(folder, file), 'utf8').trim().split('\n');

    /** Types lines, each killed or entered by how it ends, and waits until the shell has read them all. */
    async function type(
      lines: readonly string[],
      more: Readonly<Record<string, string>> = {},
    ): Promise<void> {
      const env = {
        ...stage.env,
        ...kit!.environment,
        PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
        HOME: folder,
        ZDOTDIR: folder,
        RC: join(folder, 'rc'),
        SCRIPT: join(folder, 'script'),
        FUNCTIONS: join(folder, 'functions'),
        // zsh has looked through its thousand functions the first time.
        DUMP: join(folder, 'dump'),
        WORK: join(folder, 'work'),
        SHELL_PROGRAM: kit!.program,
        ...more,
      };
      const terminal = onTerminal(`cd "$WORK" && exec "$SHELL_PROGRAM" ${start}`, env);
      await terminal.says(PROMPT);
      terminal.child.stdin.write(`${lines.join('')}echo do''ne\r`);
      await terminal.says('done');
      terminal.child.stdin.write('exit\r');
      await terminal.ended();
    }

    it('reads the script', () => {
      const env = { ...process.env, ...kit!.environment };
      const read = spawnSync(kit!.program, ['-n', join(folder, 'script')], { env, encoding: 'utf8' });
      assert.deepEqual([read.status, read.stdout, read.stderr], [0, '', '']);
    });

    it('completes commands, guests, devices, values and files', async () => {
      await type([
        `pvusb det${TAB}4${TAB}\r`,
        `pvusb detach sti${TAB}\r`,
        `pvusb detach stick:/s${TAB}\r`,
        `pvusb attach u2 1-${TAB}\r`,
        `pvusb controller add u1 --type=p${TAB}\r`,
        `pvusb list --js${TAB}\r`,
        `pvusb apply u1 gu${TAB}\r`,
        `pvusb sim --dir=fo${TAB}\r`,
        `pvusb sim --world gu${TAB}\r`,
      ]);
      const run = linesOf('run').map((line) => line.replace('folder/', 'folder'));
      assert.deepEqual(run, [
        '[detach][4-1]',
        '[detach][stick:/srv/a.img]',
        '[detach][stick:/srv/a.img]',
        '[attach][u2][1-1]',
        '[controller][add][u1][--type=pv]',
        '[list][--json]',
        '[apply][u1][guest.cfg]',
        '[sim][--dir=folder]',
        '[sim][--world][guest.cfg]',
      ]);
    });

    it('never evaluates what was typed', async () => {
      writeFileSync(join(folder, 'asked'), '');
      // Whatever it is, the shell should look for files with that name too.
      const ANSWER = 'u1\\tdomain 1\\n:files';
      await type(
        EVIL.map((line) => `${line}${TAB}${KILL_LINE}`),
        { ANSWER },
      );
      assert.deepEqual(readdirSync(join(folder, 'work')).sort(), ['folder', 'guest.cfg']);
      const asked = linesOf('asked').join('\n');
      // It has been asked about these very words.
      assert.match(asked, /\[attach\]\[\$\(touch 1\)\]\[\]/);
      // To fish a backtick is like any other character.
      assert.match(asked, /\[attach\]\[`touch( |\]\[)2`\]\[\]/);
      assert.ok(linesOf('asked').length > EVIL.length / 2, asked);
    });
  });
}
