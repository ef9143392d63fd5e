/** The man page: that it has everything it should, that groff and mandoc find nothing wrong with it, and what they show. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { formatManDocument, formatManPage, MAN_DOCUMENTS } from '../../src/cli/man.js';
import { buildProgram } from '../../src/cli/program.js';
import { formatHelp, prose, roff, usage } from '../../src/cli/roff.js';
import { PORT_STATES } from '../../src/cli/states.js';
import { commandRemedy } from '../../src/commands/remedies.js';
import { ERROR_KINDS, type PvusbErrorCode } from '../../src/pvusb/model/errors.js';
import { readProjectFile } from '../architecture/sources.js';
import { type Tool, toolOrSkip } from '../support/debian-tool.js';

const mandoc = await toolOrSkip({
  name: 'mandoc',
  packages: ['mandoc', 'zlib1g'],
  check: ['-T', 'ascii', '/dev/null'],
});
const groff = await toolOrSkip({
  name: 'groff',
  packages: ['groff-base', 'libstdc++6', 'libgcc-s1'],
  check: ['--version'],
  environment: (root) => {
    const share = join(root, 'usr/share/groff/current');
    return {
      GROFF_FONT_PATH: join(share, 'font'),
      GROFF_TMAC_PATH: join(share, 'tmac'),
      GROFF_BIN_PATH: join(root, 'usr/bin'),
      PATH: `${join(root, 'usr/bin')}:${process.env.PATH}`,
    };
  },
});

const page = formatManPage({
  version: '1.2.3',
  date: '2026-11-28',
  errors: readProjectFile('docs/errors.md'),
});

/** What a formatter prints, without the overstriking for bold and italics. */
function shown({ program, environment }: Tool, args: readonly string[], input = page): string[] {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', ...environment };
  const { status, stdout, stderr } = spawnSync(program, args, { env, input, encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.replace(/.\x08/gu, '').split('\n');
}

describe('the man page', () => {
  const sections = page.match(/^\.SH .*$/gm)!.map((line) => line.slice('.SH '.length));

  it('has the usual sections in the usual order', () => {
    assert.deepEqual(sections, [
      'NAME',
      'SYNOPSIS',
      'DESCRIPTION',
      'OPTIONS',
      'COMMANDS',
      'COMMANDS OF XL',
      'STATES',
      'EXIT STATUS',
      'ENVIRONMENT',
      'FILES',
      'EXAMPLES',
      'ERRORS',
      'SEE ALSO',
    ]);
  });

  it('has every command with its options, and nothing that only the parser knows', () => {
    const program = buildProgram({ out: () => undefined, err: () => undefined } as never);
    const plain = page.replace(/\\f[BIR]/g, '').replaceAll('\\-', '-');
    const commands: [string, Command][] = program.commands.flatMap((command): [string, Command][] =>
      command.commands.length === 0
        ? [[command.name(), command]]
        : command.commands.map((sub) => [`${command.name()} ${sub.name()}`, sub]),
    );
    assert.ok(commands.length > 20);
    for (const [name, command] of commands) {
      assert.match(plain, new RegExp(`^${name} `, 'm'), name);
      for (const { long, hidden } of command.options) {
        assert.equal(new RegExp(`^(-\\w, )?${long}( |$)`, 'm').test(plain), !hidden, `${name} ${long}`);
      }
    }
    assert.doesNotMatch(plain, /json-libxl|^complete /m);
  });

  it('has the cause and the remedy of every error', () => {
    const plain = page
      .replaceAll('\\-', '-')
      .replaceAll('\\(aq', "'")
      .replace(/\n(?!\.)/g, ' ');
    for (const code of Object.keys(ERROR_KINDS) as PvusbErrorCode[]) {
      const at = plain.indexOf(`\n.TP \\fB${code}\\fR `);
      assert.ok(at > 0, code);
      const entry = plain.slice(at, plain.indexOf('\n.TP', at + 1));
      const [cause, told] = entry.split('\n.br ');
      assert.ok(cause!.length > `\n.TP \\fB${code}\\fR `.length + 10, entry);
      assert.ok(told!.startsWith(commandRemedy(code)), entry);
    }
  });

  it('has no links, which a terminal cannot follow', () => {
    assert.doesNotMatch(page, /\]\(/);
  });

  it('has only characters that every terminal and every roff has', () => {
    assert.doesNotMatch(page, /[^\n\x20-\x7e]/);
    assert.doesNotMatch(page, /\n\n|[ \t]$/m);
  });

  it('is clean for mandoc', { skip: mandoc.skip }, () => {
    assert.deepEqual(shown(mandoc.found!, ['-T', 'lint']), ['']);
  });

  for (const [name, tool, args] of [
    ['mandoc', mandoc, ['-T', 'utf8']],
    ['groff', groff, ['-man', '-Tutf8', '-ww', '-P-c']],
  ] as const) {
    it(`is shown by ${name} with its lists and lines as they are`, {
      skip: tool.skip,
    }, () => {
      const lines = shown(tool.found!, args).map((line) => line.trim().replace(/ +/g, ' '));
      const isThere = (...wanted: readonly string[]): void => {
        const at = lines.indexOf(wanted[0]!);
        assert.ok(at >= 0, `${wanted[0]} in\n${lines.join('\n')}`);
        assert.deepEqual(lines.slice(at, at + wanted.length), wanted);
      };
      isThere('detach [options] device', 'detach [options] domain controller port');
      isThere('xl create -p u1.cfg && pvusb prepare u1.cfg && xl unpause u1');
      isThere("pv served by pvusb itself, or the host's usbback, needs");
      isThere('auto what libxl would choose: devicemodel for an HVM guest,');
      isThere('zsh pvusb completion zsh >', '/usr/local/share/zsh/site-functions/_pvusb');
      isThere('fish pvusb completion fish >', '~/.config/fish/completions/pvusb.fish');
      isThere('pvusb devices', 'pvusb attach u1 4-1 --dry-run', 'pvusb attach u1 4-1', 'pvusb list u1');
      isThere('eval "$(grep ^export /tmp/host.env)"');
      isThere('WAITING for the guest', 'the host side is ready; the guest has not taken it yet');
      isThere('/var/run/xen/qmp-libxl-DOMID');
      for (const line of lines) assert.doesNotMatch(line, /[‐’‘˜ˆ]/, 'what cannot be pasted');
    });
  }
});

describe('a page of the documentation as a man page', () => {
  for (const { name, section, summary, from } of MAN_DOCUMENTS) {
    it(`${name}(${section}) has nothing that a terminal or mandoc would stumble over`, () => {
      const text = readProjectFile(`docs/${from}`);
      const made = formatManDocument({ name, section, summary, text, version: '1.2.3', date: '2026-11-28' });
      assert.doesNotMatch(made, /[^\n\x20-\x7e]/);
      assert.doesNotMatch(made, /\n\n|[ \t]$/m);
      assert.ok(made.startsWith(`.TH ${name.toUpperCase()} ${section} `));
      if (mandoc.found) assert.deepEqual(shown(mandoc.found, ['-T', 'lint'], made), ['']);
    });
  }
});

describe('roff', () => {
  it('shows what is written, whatever it is', () => {
    assert.equal(roff("a-b\\c 'd' `e` ^f ~g"), 'a\\-b\\ec \\(aqd\\(aq \\(gae\\(ga \\(haf \\(tig');
    assert.equal(roff('.x\n.y'), '\\&.x\n\\&.y');
    assert.equal(usage('a <b> [c] [d=<e>]'), '\\fBa\\fR \\fIb\\fR [\\fIc\\fR] [\\fBd=\\fR\\fIe\\fR]');
  });

  it('fills prose into short lines, none of which is a roff request', () => {
    const lines = prose(`${'word '.repeat(30)}${'x'.repeat(100)} ${'w'.repeat(77)} .dot`);
    assert.ok(lines.every((line) => line.length <= 78 || line === 'x'.repeat(100)));
    assert.equal(lines.at(-1), '\\&.dot');
  });

  it('goes on with text after what is typed', () => {
    assert.deepEqual(formatHelp('Do this:\n  type this\nIt fails\notherwise.'), [
      'Do this:',
      '.EX',
      'type this',
      '.EE',
      '.nh',
      'It fails otherwise.',
    ]);
  });

  it('recognises lists and examples in a help text by their indentation', () => {
    assert.deepEqual(formatHelp('One\nline:\n  a  first\n     goes on\n  bb: second\n\nNext:\n  type this'), [
      'One line:',
      '.RS',
      '.TP',
      '\\fBa\\fR',
      'first',
      'goes on',
      '.TP',
      '\\fBbb\\fR',
      'second',
      '.RE',
      '.PP',
      'Next:',
      '.EX',
      'type this',
      '.EE',
      '.nh',
    ]);
  });
});

describe('the README', () => {
  it('has the states of ports as the man page has them', () => {
    const rows = readProjectFile('README.md').matchAll(/^\| (none|`[A-Z][^`]*`) \| (.*) \|$/gm);
    const told = [...rows].map(([, word, meaning]) => [word!.replaceAll('`', ''), meaning]);
    const wanted = Object.values(PORT_STATES).map(({ word, meaning }) => [word || 'none', meaning]);
    assert.deepEqual(told, wanted);
  });
});
