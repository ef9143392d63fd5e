/** The file of tokens. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addToken, openTokens } from '../../src/daemon/http/index.js';
import { notBelieved } from '../../src/daemon/http/token-file.js';
import { bearerIn, formatToken, newToken, parseTokens, tokenOf } from '../../src/daemon/http/tokens.js';
import { runPvusb } from '../cli/stage.js';

const HASH = '0'.repeat(64);

describe('the file of tokens', () => {
  it('has a line for each, and says which line cannot be read', () => {
    const { tokens, problems } = parseTokens(
      [
        '# comment',
        '',
        `one viewer ${HASH} # who`,
        `two operator ${HASH.replace('0', '1')} guests=u1,u2 devices=4-1`,
        `three root ${HASH}`,
        `one admin ${HASH.replace('0', '2')}`,
        `four admin ${HASH}`,
        'five admin secret',
        `six viewer ${HASH.replace('0', '3')} guests=u1`,
        `seven operator ${HASH.replace('0', '3')} guests=u1 guests=u2`,
        `eight operator ${HASH.replace('0', '3')} guests=u1,`,
        `nine operator ${HASH.replace('0', '3')} guest=u1`,
        `te/n viewer ${HASH.replace('0', '3')}`,
      ].join('\n'),
    );
    assert.deepEqual(
      tokens.map(({ name, role, guests, devices }) => [name, role, guests, devices]),
      [
        ['one', 'viewer', undefined, undefined],
        ['two', 'operator', ['u1', 'u2'], ['4-1']],
      ],
    );
    assert.deepEqual(
      problems.map(({ line }) => line),
      [5, 6, 7, 8, 9, 10, 11, 12, 13],
    );
    assert.ok(problems.every(({ message }) => !message.includes('secret')));
  });

  it('what is written is read, and only its token is known by it', () => {
    const word = fc.stringMatching(/^[\w.:-]{1,12}$/);
    const limits = fc.option(fc.array(word, { minLength: 1, maxLength: 3 }), { nil: undefined });
    fc.assert(
      fc.property(fc.stringMatching(/^[\w.@-]{1,20}$/), limits, limits, (name, guests, devices) => {
        const token = newToken();
        const line = formatToken({ name, role: 'operator', guests, devices }, token);
        const { tokens, problems } = parseTokens(line);
        assert.deepEqual(problems, []);
        assert.ok(!line.includes(token));
        assert.equal(tokenOf(tokens, token)?.name, name);
        assert.equal(tokenOf(tokens, `${token}x`), undefined);
        assert.equal(bearerIn(`Bearer ${token}`), token);
        const [read] = tokens;
        assert.deepEqual([read?.guests, read?.devices], [guests, devices]);
      }),
      { numRuns: 200 },
    );
  });

  it('is added to, read again when it changes, and not believed if others may write it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pvusb-tokens-'));
    try {
      const path = join(dir, 'tokens');
      const told: string[] = [];
      const tokens = openTokens(path, (sentence) => told.push(sentence));
      assert.deepEqual(await tokens(), []);
      assert.match(told.join(), /ENOENT/);
      const token = await addToken(path, { name: 'rack', role: 'viewer' });
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(tokenOf(await tokens(), token)?.name, 'rack');
      await assert.rejects(addToken(path, { name: 'rack', role: 'admin' }), {
        code: 'invalid-argument',
        message: `${path} already has a token for rack.`,
        remedy: /^Remove its line/,
      });
      await assert.rejects(addToken(path, { name: 'a b', role: 'admin' }), {
        code: 'invalid-argument',
        message: /^The name of a token has .*: not "a b"\.$/,
      });
      for (const name of ['#rack', `x viewer ${HASH}\nevil`, `evil admin ${HASH} #`, '', 'é'])
        await assert.rejects(addToken(path, { name, role: 'admin' }), { code: 'invalid-argument' }, name);
      for (const guests of [['u1\nevil'], ['u1 #'], ['']])
        await assert.rejects(addToken(path, { name: 'other', role: 'operator', guests }), {
          code: 'invalid-argument',
        });
      assert.equal(readFileSync(path, 'utf8').trim().split('\n').length, 1);
      writeFileSync(path, 'nonsense\n');
      assert.deepEqual(await tokens(), []);
      assert.match(told.at(-1)!, /tokens:1: The role/);
      writeFileSync(path, formatToken({ name: 'rack', role: 'viewer' }, token));
      const second = await addToken(path, { name: 'other', role: 'operator', guests: ['u1'] });
      assert.deepEqual(
        [token, second].map((one) => tokenOf(parseTokens(readFileSync(path, 'utf8')).tokens, one)?.name),
        ['rack', 'other'],
      );
      chmodSync(path, 0o622);
      assert.deepEqual(await tokens(), []);
      assert.match(told.at(-1)!, /is writable by others/);
      await assert.rejects(addToken(path, { name: 'third', role: 'viewer' }), {
        code: 'invalid-configuration',
        message: /is writable by others/,
      });
      assert.equal(statSync(path).mode & 0o777, 0o622, 'and what others wrote is not made good');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('is believed only if it is a file of root or of whoever reads it', () => {
    const found = { size: 100, mode: 0o100600, uid: 1000, isFile: () => true };
    assert.equal(notBelieved('tokens', found, 1000), undefined);
    assert.equal(notBelieved('tokens', { ...found, uid: 0 }, 1000), undefined);
    assert.match(notBelieved('tokens', found, 0)!, /is owned by another user \(uid 1000\)/);
    assert.match(notBelieved('tokens', { ...found, isFile: () => false }, 1000)!, /not a regular file/);
    assert.match(notBelieved('tokens', { ...found, size: 1_000_001 }, 1000)!, /more than 1000000 bytes/);
    assert.match(notBelieved('tokens', { ...found, mode: 0o100620 }, 1000)!, /writable by others/);
  });

  it('gets a line by "pvusb token", which prints the token once', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pvusb-tokens-'));
    try {
      const file = join(dir, 'new', 'tokens');
      const limits = ['--guests', 'u1,u2', '--devices', '4-1', '--file', file];
      const { status, stdout, stderr } = await runPvusb(['token', 'rack', '--role', 'operator', ...limits]);
      assert.equal(status, 0, stderr);
      const [known] = parseTokens(readFileSync(file, 'utf8')).tokens;
      assert.deepEqual(
        [known?.name, known?.role, known?.guests, known?.devices],
        ['rack', 'operator', ['u1', 'u2'], ['4-1']],
      );
      assert.equal(tokenOf([known!], stdout.trim()), known);
      assert.ok(!stderr.includes(stdout.trim()));
      for (const argv of [
        ['rack', '--role', 'admin'],
        ['other', '--role', 'root'],
        ['other', '--role', 'viewer', '--guests', 'u1'],
      ])
        assert.equal((await runPvusb(['token', ...argv, '--file', file])).status, 2, argv.join(' '));
      assert.equal(parseTokens(readFileSync(file, 'utf8')).tokens.length, 1);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
