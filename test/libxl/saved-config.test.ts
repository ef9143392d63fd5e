/** The USB part of a configuration: what is read, what is written where, and what is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LibxlErrorCode, SavedConfig, type SavedDevice } from '../../src/libxl/index.js';
import { captured, config, failsWith, textOf } from './support.js';

describe('an entry', () => {
  it('is written as libxl writes it: fields in its order, defaults left out', () => {
    const saved = config('{\n    "c_info": {\n\n    },\n    "on_reboot": "restart"\n}\n\0')
      .withController({ devid: -1, type: 'auto', version: 0, ports: 0, backendDomid: 0, backendDomname: '' })
      .withController({
        backendDomname: 'a "b"',
        backendDomid: 7,
        ports: 4,
        version: 2,
        type: 'qusb',
        devid: 0,
      })
      .withDevice({ ctrl: -1, port: 0 })
      .withDevice({ hostaddr: 5, hostbus: 1, port: 1, ctrl: 0 });
    assert.equal(
      textOf(saved),
      `{
    "c_info": {

    },
    "usbctrls": [
        {

        },
        {
            "type": "qusb",
            "devid": 0,
            "version": 2,
            "ports": 4,
            "backend_domid": 7,
            "backend_domname": "a \\"b\\""
        }
    ],
    "usbdevs": [
        {

        },
        {
            "ctrl": 0,
            "port": 1,
            "type.hostdev": {
                "hostbus": 1,
                "hostaddr": 5
            }
        }
    ],
    "on_reboot": "restart"
}
<NUL>`,
    );
  });

  it('that already exists changes nothing, however it is written', () => {
    const saved = config(
      '{"usbctrls":[{"ports":4 ,"devid":0}], "usbdevs": [{"port":1,"ctrl":0,"type.hostdev":{}}]}',
    );
    assert.equal(saved.withController({ devid: 0, type: 'auto', version: 0, ports: 4 }), saved);
    assert.equal(saved.withDevice({ ctrl: 0, port: 1, hostbus: 0 }), saved);
  });

  it('that does not exist is removed without a change', () => {
    const saved = SavedConfig.parse(captured('30-pv/001-ctrl-attach-auto.after'));
    assert.equal(saved.withoutController(1), saved);
    assert.equal(saved.withoutDevice(0, 1), saved);
  });

  it('keeps its unknown fields, and its place, when it is replaced', () => {
    const saved = config(
      '{"usbctrls":[{"new":18446744073709551615,"devid":0,"ports":4},{"devid":1}],' +
        '"usbdevs":[{"ctrl":0,"x":[1, 2],"port":1,"type.hostdev":{"speed":5.0,"hostbus":1}}]}',
    );
    const changed = saved
      .withController({ devid: 0, type: 'pv' })
      .withDevice({ ctrl: 0, port: 1, hostbus: 2, hostaddr: 3 });
    assert.equal(
      textOf(changed),
      '{"usbctrls":[{"type":"pv","devid":0,"new":18446744073709551615},{"devid":1}],' +
        '"usbdevs":[{"ctrl":0,"port":1,"type.hostdev":{"hostbus":2,"hostaddr":3,"speed":5.0},"x":[1, 2]}]}',
    );
    assert.deepEqual(changed.controllers[0], { devid: 0, type: 'pv' });
  });

  it('is removed with all others with its number, and leaves what names it', () => {
    const saved = config(
      '{"usbctrls":[{"devid":0},{"devid":1},{"devid":0}],"usbdevs":[{"ctrl":0,"port":1}]}',
    );
    assert.equal(
      textOf(saved.withoutController(0)),
      '{"usbctrls":[{"devid":1}],"usbdevs":[{"ctrl":0,"port":1}]}',
    );
    assert.equal(
      textOf(saved.withoutController(0).withoutController(1)),
      '{"usbdevs":[{"ctrl":0,"port":1}]}',
    );
  });

  it('is put into an array that was empty', () => {
    assert.equal(
      textOf(config('{"usbctrls":[ ]}').withController({ devid: 0, type: 'pv' })),
      '{"usbctrls":[{"type":"pv","devid":0}]}',
    );
  });

  it('is accepted only with numbers that it can have', () => {
    const saved = config('{}');
    for (const number of [-2, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
      assert.throws(() => saved.withController({ devid: number, type: 'pv' }), RangeError);
      assert.throws(() => saved.withController({ devid: 0, type: 'pv', ports: number }), RangeError);
      assert.throws(() => saved.withDevice({ ctrl: 0, port: number }), RangeError);
    }
    assert.throws(() => saved.withDevice({ ctrl: 0, port: 1, hostbus: 256 }), RangeError);
  });
});

describe('a configuration', () => {
  it('is not changed by what is made from it, nor by changes to the bytes it was read from', () => {
    const bytes = Buffer.from(captured('30-pv/001-ctrl-attach-auto.after'));
    const saved = SavedConfig.parse(bytes);
    const before = textOf(saved);
    const other = saved.withoutController(0);
    bytes.fill(0x20);
    saved.toBytes().fill(0x20);
    assert.equal(textOf(saved), before);
    assert.notEqual(textOf(other), before);
    assert.ok(Object.isFrozen(saved.controllers[0]));
    const none: readonly SavedDevice[] = saved.devices;
    assert.equal(none.length, 0);
  });

  const real = captured('22-hotunplug/001-attach.after');

  it('is refused wherever it is cut off', async () => {
    const end = real.lastIndexOf('}');
    for (let length = 0; length <= end; length += 7) {
      const cut = real.subarray(0, length);
      const error = await failsWith('malformed', () => SavedConfig.parse(cut));
      const lines = cut.toString().split('\n');
      assert.ok(error.line! <= lines.length && error.column! <= lines[error.line! - 1]!.length + 1);
      assert.ok(error.message.startsWith(`line ${error.line}, column ${error.column}: `));
    }
  });

  const BAD: readonly (readonly [what: string, bytes: string | Buffer, line?: number, column?: number])[] = [
    ['nothing', '', 1, 1],
    ['NUL only', '\0', 1, 1],
    ['white space only', ' \n ', 2, 2],
    ['an array', '[]', 1, 1],
    ['a number', '17', 1, 1],
    ['another language', 'name = "u2"\n', 1, 1],
    ['an ELF file', Buffer.from('7f454c4602010100', 'hex'), 1, 1],
    ['a byte order mark', '\ufeff{}', 1, 1],
    ['not UTF-8', Buffer.from([...Buffer.from('{\n "é": "'), 0xff, 0x22, 0x7d]), 2, 8],
    ['a character cut off', Buffer.from([...Buffer.from('{"a": "'), 0xc3]), 1, 8],
    ['a lone surrogate in UTF-8', Buffer.from('7b22eda080223a317d', 'hex'), 1, 3],
    ['two documents', '{}\n{}', 2, 1],
    ['text after the NUL', '{}\0{}', 1, 4],
    ['a NUL within', '{"a":\0 1}', 1, 6],
    ['a comma too many', '{"a": 1,\n}', 2, 1],
    ['a comma too few', '{"a": 1\n "b": 2}', 2, 2],
    ['no colon', '{"a" 1}', 1, 6],
    ['a key without quotes', '{a: 1}', 1, 2],
    ['a wrong bracket', '{"a": [1, {"b": 2]}', 1, 18],
    ['a number with a leading zero', '{"a": 01}', 1, 8],
    ['a number that ends early', '{"a": 1.}', 1, 8],
    ['a number of another kind', '{"a": 0x10}', 1, 8],
    ['a literal that goes on', '{"a": trueish}', 1, 7],
    ['a comment', '{"a": 1 /* one */}', 1, 9],
    ['a control character in a string', '{"a": "x\ty"}', 1, 9],
    ['an invalid escape', '{"a": "\\x41"}', 1, 8],
    ['an escape cut short', '{"a": "\\u00g0"}', 1, 8],
    ['usbctrls that is an object', '{"usbctrls": {}}', 1, 14],
    ['usbdevs that is null', '{"usbdevs": null}', 1, 13],
    ['usbctrls twice', '{"usbctrls": [], "usbctrls": []}', 1, 18],
    ['a controller that is a number', '{"usbctrls": [1]}', 1, 15],
    ['an unknown type', '{"usbctrls": [{"type": "vhci"}]}', 1, 24],
    ['a type that is a number', '{"usbctrls": [{"type": 1}]}', 1, 24],
    ['a number that is a string', '{"usbctrls": [{"devid": "0"}]}', 1, 25],
    ['a number that is not an integer', '{"usbctrls": [{"ports": 4.0}]}', 1, 25],
    ['a number that is too large', '{"usbctrls": [{"ports": 18446744073709551615}]}', 1, 25],
    ['a field twice', '{"usbctrls": [{"devid": 0, "devid": 1}]}', 1, 28],
    ['a device that is an array', '{"usbdevs": [[]]}', 1, 14],
    ['a host device that is a list', '{"usbdevs": [{"type.hostdev": []}]}', 1, 31],
    ['a bus of more than 8 bits', '{"usbdevs": [{"type.hostdev": {"hostbus": 256}}]}', 1, 43],
  ];

  for (const [what, bytes, line, column] of BAD) {
    it(`is refused: ${what}`, async () => {
      const error = await failsWith('malformed', () => SavedConfig.parse(Buffer.from(bytes)));
      assert.deepEqual([error.line, error.column], [line, column], error.message);
    });
  }

  it('of 50 MB is refused without reading it, and one of 16 MB is read', async () => {
    const refused: LibxlErrorCode = 'too-large';
    await failsWith(refused, () => SavedConfig.parse(Buffer.alloc(50 * 1024 * 1024, '[')));
    const text = `{"a": [${'18446744073709551615,'.repeat(790_000)}0]}`;
    assert.ok(text.length > 15.8 * 1024 * 1024);
    assert.ok(config(text).toBytes().equals(Buffer.from(text)));
    await failsWith('malformed', () => SavedConfig.parse(Buffer.alloc(16 * 1024 * 1024, '{"a":[')));
  });
});
