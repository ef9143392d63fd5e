/** Wrong command lines: exit status 2, an error like all others, nothing changed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from '../../src/cli/program.js';
import { runPvusb, terminalLike } from './stage.js';

/** Without a host: a command line is wrong before anybody looks. */
const run = (argv: readonly string[]) => runPvusb(argv, { env: { XENSTORED_PATH: '/nonexistent' } });

/** What is wrong, what is said of it, and what to do. */
const WRONG: readonly (readonly [command: string, message: string, remedy: string])[] = [
  ['frob', "Unknown command 'frob'.", 'See "pvusb --help".'],
  ['atach', "Unknown command 'atach'.", 'Did you mean attach? See "pvusb --help".'],
  ['--frob', "Unknown option '--frob'.", 'See "pvusb --help".'],
  ['attach', "Missing required argument 'domain'.", 'See "pvusb attach --help".'],
  ['attach u1', "Missing required argument 'device'.", 'See "pvusb attach --help".'],
  ['attach u1 4-1 --frob', "Unknown option '--frob'.", 'See "pvusb attach --help".'],
  ['attach u1 4-1 -c', "Option '-c, --controller <devid>' needs a value.", 'See "pvusb attach --help".'],
  ['attach u1 4-1 -c x', '"x" is not a controller number.', 'See "pvusb attach --help".'],
  ['attach u1 4-1 -c 0 -p 1x', '"1x" is not a port number.', 'See "pvusb attach --help".'],
  [
    'controller add u1 --usb 9',
    'The USB version "9" is not between 1 and 3.',
    'See "pvusb controller add --help".',
  ],
  [
    'controller add u1 -t frob',
    'A controller\'s type is auto, pv, qusb or devicemodel, not "frob".',
    'See "pvusb controller add --help".',
  ],
  ['list u1 u2', 'Unexpected argument: "u2". "pvusb list" takes 1.', 'See "pvusb list --help".'],
  [
    'audit show x y',
    'Unexpected argument: "x", "y". "pvusb audit show" takes none.',
    'See "pvusb audit show --help".',
  ],
  ['serve --tls-cert c.pem', '--tls-cert has no effect without --listen.', 'See "pvusb serve --help".'],
  ['serve --group-role viewer', '--group-role has no effect without --group.', 'See "pvusb serve --help".'],
  [
    'serve --group g --group-role boss',
    '--group-role takes viewer, operator or admin, not "boss".',
    'See "pvusb serve --help".',
  ],
  [
    'usbdev-attach u1 hostbus=1',
    'hostaddr=N is missing: a device is named by hostbus=N and hostaddr=N.',
    'See "pvusb usbdev-attach --help".',
  ],
  ['list --json=frob', "Unknown option '--json=frob'.", 'See "pvusb list --help".'],
  ['unassign', "Missing required argument 'rule'.", 'See "pvusb unassign --help".'],
  ['controller frob', "Unknown command 'frob'.", 'See "pvusb controller --help".'],
  ['controller add', "Missing required argument 'domain'.", 'See "pvusb controller add --help".'],
  [
    'controller add u1 --type pv --version 1',
    'The USB version of a controller is --usb 1, not --version.',
    'See "pvusb controller add --help".',
  ],
  [
    'controller add u1 --version',
    'The USB version of a controller is --usb N, not --version.',
    'See "pvusb controller add --help".',
  ],
  ['controller add u1 -V', "Unknown option '-V'.", 'See "pvusb controller add --help".'],
  ['sim frob', "Unknown command 'frob'.", 'See "pvusb sim --help".'],
  ['sim plug', "Missing required argument 'busid'.", 'See "pvusb sim plug --help".'],
  ['sim plug 4-1', 'Which simulated host? Name its folder with --dir.', 'See "pvusb sim plug --help".'],
  ['sim', "Required option '--dir <dir>' not specified.", 'See "pvusb sim --help".'],
  [
    'detach u1 4-1',
    'detach takes a device ("pvusb detach 4-1"), or a domain, controller and port ("pvusb detach u1 0 1").',
    'See "pvusb detach --help".',
  ],
  [
    'prepare /dev/null --wait long',
    '--wait takes a number of seconds, not "long".',
    'See "pvusb prepare --help".',
  ],
  ['frob --help', "Unknown command 'frob'.", 'See "pvusb --help".'],
  ['help atach', "Unknown command 'atach'.", 'Did you mean attach? See "pvusb --help".'],
  ['help controller frob', "Unknown command 'frob'.", 'See "pvusb controller --help".'],
  ['completion tcsh', 'completion takes bash, zsh or fish, not "tcsh".', 'See "pvusb completion --help".'],
];

describe('a wrong command line', () => {
  for (const [command, message, remedy] of WRONG) {
    it(`ends with 2, says what is wrong and what to do, as data too: ${command}`, async () => {
      const stderr = `pvusb: ${message}\n${remedy} (invalid-argument)\n`;
      assert.deepEqual(await run(command.split(' ')), { status: 2, stdout: '', stderr });
      // Which print no data.
      if (/^(completion|sim)\b/.test(command)) return;
      const asData = await run([...command.split(' '), '--json']);
      if (command.endsWith('-c')) return;
      const error = { code: 'invalid-argument', message, remedy, where: {}, leftOver: [] };
      assert.deepEqual([asData.status, JSON.parse(asData.stdout), asData.stderr], [2, { error }, stderr]);
    });
  }

  it('is a command without its second word: its help says which there are', async () => {
    const { status, stdout, stderr } = await run(['controller', '--json']);
    assert.equal(status, 2, stderr);
    const { code, remedy } = JSON.parse(stdout).error;
    assert.deepEqual([code, remedy], ['invalid-argument', 'See "pvusb controller --help".']);
  });

  it("is data with --json of xl's commands too", async () => {
    for (const [argv, says] of [
      [['usb-list', '--json'], "'pvusb usb-list' requires at least 1 argument."],
      [['usb-list', 'u1', '--frob', '--json'], 'pvusb usb-list: unknown option "--frob".'],
      [['usb-list', 'u1', 'u2', '--json'], "'pvusb usb-list' takes 1 argument."],
      [['usbdev-detach', 'u1', '0', 'x', '--json'], '"x" is not a port number.'],
    ] as const) {
      const told = await run(argv);
      const { code, message } = JSON.parse(told.stdout).error;
      assert.deepEqual([told.status, code, message], [2, 'invalid-argument', says]);
      assert.ok(told.stderr.includes(says), told.stderr);
    }
  });

  it('is one where the version of pvusb is asked for after a command: nothing that was asked for is swallowed', async () => {
    const leaves = (command: Command): string[] =>
      command.commands.length === 0
        ? [command.name()]
        : command.commands.flatMap((sub) => leaves(sub).map((words) => `${command.name()} ${words}`));
    const all = buildProgram(terminalLike({})).commands.flatMap(leaves);
    assert.ok(all.includes('controller add') && all.includes('attach') && all.includes('usb-list'));
    for (const words of all) {
      for (const option of ['--version', '-V']) {
        const { status, stdout, stderr } = await run([...words.split(' '), option, '1']);
        assert.deepEqual([words, status, stdout], [words, 2, ''], stderr);
      }
    }
  });
});
