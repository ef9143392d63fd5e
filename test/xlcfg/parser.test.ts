/** The syntax of xl.cfg files: what is accepted, and what is said about what is not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  parseXlCfg,
  SIZE_MAX,
  unquote,
  type XlCfgErrorCode,
  type XlCfgValue,
} from '../../src/xlcfg/index.js';
import { assertRefused } from './refused.js';

/** A value as in a table: strings as they are meant, numbers as they are written, after `#`. */
type Plain = string | readonly Plain[];

function plain(value: XlCfgValue): Plain {
  if (value.kind === 'list') return value.items.map(plain);
  return value.parts
    .map((part) => (part.kind === 'number' ? `#${part.untrustedText}` : unquote(part).untrustedText))
    .join('');
}

function settingsOf(text: string | Uint8Array): Record<string, Plain> {
  return Object.fromEntries([...parseXlCfg(text)].map(([name, value]) => [name, plain(value)]));
}

const TAKEN: readonly (readonly [text: string, settings: Readonly<Record<string, Plain>>])[] = [
  ['', {}],
  ['\n\n;;\n \t\n', {}],
  ['# only a comment', {}],
  ['#', {}],
  ['a=1', { a: '#1' }],
  ['a = 1\n', { a: '#1' }],
  ['\ta\t=\t1\t', { a: '#1' }],
  ['a=0x1f;b=017;c=3abc', { a: '#0x1f', b: '#017', c: '#3abc' }],
  ['a_1z = "x"', { a_1z: 'x' }],
  ['vif.default.script="x"; a.=1; a._.0=2', { 'vif.default.script': 'x', 'a.': '#1', 'a._.0': '#2' }],
  ['a=""', { a: '' }],
  [`a='it"s'; b="it's"`, { a: 'it"s', b: "it's" }],
  [String.raw`a='it\'s'; b="\"\\"`, { a: "it's", b: '"\\' }],
  [String.raw`a="\a\b\f\n\r\t\v"`, { a: '\u0007\b\f\n\r\t\v' }],
  ['a="# x" # y', { a: '# x' }],
  ['a="é😀"', { a: 'é😀' }],
  ['a=1\r\nb="x"\r\n', { a: '#1', b: 'x' }],
  ['a=[1,\r\n2]\r\n# x\r\nb=1', { a: ['#1', '#2'], b: '#1' }],
  ['a=[]', { a: [] }],
  ['a=[\n\n]', { a: [] }],
  ['a=[1,]', { a: ['#1'] }],
  ['a=[ "x", 2 , ]', { a: ['x', '#2'] }],
  ['a=[\n# one\n"x" # two\n,\n# three\n2\n,\n]', { a: ['x', '#2'] }],
  ['a=[[1,[]],["x",],\n]', { a: [['#1', []], ['x']] }],
  ['a=1\na=2', { a: '#2' }],
  ['a=1;a="x";a=[3]', { a: ['#3'] }],
  ['a+=1', { a: '#1' }],
  ['a+=[1]', { a: ['#1'] }],
  ['a=[1];a+=[2,3];a+=[]', { a: ['#1', '#2', '#3'] }],
  ['a="x";a+="y";a+=3', { a: 'xy#3' }],
  ['a=[1];a+=[2];a=[3];a+=[4]', { a: ['#3', '#4'] }],
  ['constructor=1; to_string=2', { constructor: '#1', to_string: '#2' }],
];

const REFUSED: readonly (readonly [text: string, code: XlCfgErrorCode, line: number, column: number])[] = [
  ['=1', 'missing-name', 1, 1],
  ['a=1\n  "x"=1', 'missing-name', 2, 3],
  ['a=1;2', 'missing-name', 1, 5],
  ['a', 'missing-operator', 1, 2],
  ['a\n=1', 'missing-operator', 1, 2],
  ['a 1', 'missing-operator', 1, 3],
  ['a=', 'missing-value', 1, 3],
  ['a= # x\n1', 'missing-value', 1, 7],
  ['a= # x', 'missing-value', 1, 7],
  ['a= # x\r\n1', 'missing-value', 1, 7],
  ['type = hvm', 'missing-value', 1, 8],
  ['a==1', 'missing-value', 1, 3],
  ['a=;', 'missing-value', 1, 3],
  ['a=[,]', 'missing-value', 1, 4],
  ['a=[1,,2]', 'missing-value', 1, 6],
  ['a=[\n1,\nb]', 'missing-value', 3, 1],
  ['a=1 b=2', 'missing-end', 1, 5],
  ['a=[1]]', 'missing-end', 1, 6],
  [`a='it''s'`, 'missing-end', 1, 7],
  ['a="x" "y"', 'missing-end', 1, 7],
  ['a=12\tx', 'missing-end', 1, 6],
  ['a=[1 2]', 'missing-comma', 1, 6],
  ['a=[\n  "x"\n  "y"\n]', 'missing-comma', 3, 3],
  ['usbctrl = [ "x"\nname = "y"', 'missing-comma', 2, 1],
  ['a=[1;2]', 'missing-comma', 1, 5],
  ['a=[', 'unterminated-list', 1, 3],
  ['b=1\r\n a = [ 1,\r\n # ]', 'unterminated-list', 2, 6],
  ['a=[[1],', 'unterminated-list', 1, 3],
  ['a=[[1,', 'unterminated-list', 1, 4],
  ['a="x', 'unterminated-string', 1, 3],
  ['a="x\nb="y"', 'unterminated-string', 1, 3],
  ['a="x\r\n', 'unterminated-string', 1, 3],
  [`a="x'`, 'unterminated-string', 1, 3],
  [String.raw`a="x\"`, 'unterminated-string', 1, 3],
  ['a="x\\\ny"', 'unterminated-string', 1, 3],
  ['a="x\\', 'unterminated-string', 1, 3],
  ['a=[1,\n\t"x]', 'unterminated-string', 2, 2],
  ['A=1', 'unexpected-character', 1, 1],
  ['aB=1', 'unexpected-character', 1, 2],
  ['a=-1', 'unexpected-character', 1, 3],
  ['a=1.5', 'unexpected-character', 1, 4],
  ['a=0xFF', 'unexpected-character', 1, 5],
  ['a+1', 'unexpected-character', 1, 2],
  ['a=1\rb=2', 'unexpected-character', 1, 4],
  ['a=1\f', 'unexpected-character', 1, 4],
  ['a=(1)', 'unexpected-character', 1, 3],
  ['\ufeffa=1', 'unexpected-character', 1, 1],
  ['a="😀é"; 😀', 'unexpected-character', 1, 9],
  ['a="x\0"', 'unexpected-character', 1, 5],
  ['a="\\\0"', 'unexpected-character', 1, 5],
  ['a\0=1', 'unexpected-character', 1, 2],
  ['a="x"\na+=[1]', 'append-mismatch', 2, 4],
  ['a=[1]\na += 1', 'append-mismatch', 2, 6],
  [`a=${'['.repeat(33)}${']'.repeat(33)}`, 'too-deep', 1, 35],
];

describe('xl.cfg syntax', () => {
  for (const [text, settings] of TAKEN) {
    it(`takes ${JSON.stringify(text)}`, () => {
      assert.deepEqual(settingsOf(text), settings);
      assert.deepEqual(settingsOf(Buffer.from(text)), settings, 'as bytes');
    });
  }

  for (const [text, code, line, column] of REFUSED) {
    it(`refuses ${JSON.stringify(text)}: ${code}`, () => {
      assertRefused(() => parseXlCfg(text), { code, line, column });
      assertRefused(() => parseXlCfg(Buffer.from(text)), { code, line, column });
    });
  }

  it('takes lists 32 deep', () => {
    assert.ok(parseXlCfg(`a=${'['.repeat(32)}${']'.repeat(32)}`).has('a'));
  });

  it('keeps places: of values and, in longer ones, of their parts', () => {
    const settings = parseXlCfg('# é\na = [ "x",\n  2 ]\nb="1"; a += [3]; b+=\t4');
    const list = settings.get('a');
    const scalar = settings.get('b');
    assert.ok(list?.kind === 'list' && scalar?.kind === 'scalar');
    assert.deepEqual(list.position, { line: 2, column: 5 });
    assert.deepEqual(
      list.items.map(({ position: { line, column } }) => `${line}:${column}`),
      ['2:7', '3:3', '4:14'],
    );
    assert.deepEqual(
      scalar.parts.map(({ untrustedText, position: { line, column } }) => [untrustedText, line, column]),
      [
        ['"1"', 4, 3],
        ['4', 4, 22],
      ],
    );
  });

  it('does not look into strings that nobody asks for', () => {
    const value = parseXlCfg(String.raw`a = "\d\x4\400"`).get('a');
    assert.ok(value?.kind === 'scalar');
    assert.equal(value.parts[0]?.untrustedText, String.raw`"\d\x4\400"`);
    assertRefused(() => unquote(value.parts[0]!), { code: 'bad-escape', line: 1, column: 6 });
  });
});

describe('bytes', () => {
  const strange: readonly (readonly [what: string, bytes: readonly number[]])[] = [
    ['Latin-1', [0xe9, 0x62]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['half of a character', [0xf0, 0x9f, 0x98]],
    ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
  ];
  for (const [what, bytes] of strange) {
    it(`that are not UTF-8 are accepted in comments and strings, as by xl: ${what}`, () => {
      const text = Buffer.concat([
        Buffer.from('# '),
        Buffer.from(bytes),
        Buffer.from('\na="'),
        Buffer.from(bytes),
        Buffer.from('"; b=1'),
      ]);
      assert.deepEqual(Object.keys(settingsOf(text)), ['a', 'b']);
      assertRefused(() => parseXlCfg(Buffer.from([0x0a, ...bytes])), {
        code: 'unexpected-character',
        line: 2,
        column: 1,
      });
    });
  }

  it('are at most a megabyte, counted in UTF-8', () => {
    const longest = `#${'é'.repeat(SIZE_MAX / 2 - 1)}x`;
    assert.equal(parseXlCfg(longest).size, 0);
    assert.equal(parseXlCfg(Buffer.from(longest)).size, 0);
    for (const text of [`${longest}x`, Buffer.from(`${longest}x`)]) {
      assertRefused(() => parseXlCfg(text), { code: 'too-long', line: 1, column: 1 });
    }
  });
});
