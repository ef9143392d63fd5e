import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPath, isWatchable, pathFault } from '../../src/xenstore/path.js';
import { formatPermission, parsePermission, parsePermissions } from '../../src/xenstore/permissions.js';
import {
  Decoder,
  decodeStrings,
  describeType,
  encodeMessage,
  encodeStrings,
  type Message,
  MessageType,
  ProtocolError,
} from '../../src/xenstore/wire.js';
import { fails, fakeClient, textOf } from './support.js';

function decodeAll(chunks: readonly Buffer[], limit?: number): Message[] {
  const decoder = new Decoder(limit);
  const messages: Message[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk, (type, requestId, transactionId, payload) => {
      messages.push({ type, requestId, transactionId, payload: Buffer.from(payload) });
    });
  }
  return messages;
}

const anyMessage: fc.Arbitrary<Message> = fc.record(
  {
    type: fc.nat({ max: 0xffff_ffff }),
    requestId: fc.nat({ max: 0xffff_ffff }),
    transactionId: fc.nat({ max: 0xffff_ffff }),
    payload: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  },
  { noNullPrototype: true },
);

describe('a message', () => {
  it('is four little-endian numbers and a payload', () => {
    const payload = Buffer.from('/local/domain/1\0');
    const bytes = encodeMessage({
      type: MessageType.read,
      requestId: 0x0102_0304,
      transactionId: 5,
      payload,
    });
    assert.equal(bytes.toString('hex'), '02000000040302010500000010000000'.concat(payload.toString('hex')));
  });

  it('has a type with a name, or a number', () => {
    assert.equal(describeType(0), 'control');
    assert.equal(describeType(22), 'directoryPart');
    assert.equal(describeType(20), 'type 20');
  });

  it('comes out as it went in, however the bytes are split', () => {
    const cuts = fc.array(fc.nat({ max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(anyMessage), cuts, (messages, sizes) => {
        const bytes = Buffer.concat(messages.map(encodeMessage));
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length]! + (turn % 7 === 6 ? 1 : 0);
          chunks.push(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(decodeAll(chunks), messages);
      }),
    );
  });

  it('is kept until it is complete', () => {
    const decoder = new Decoder();
    const bytes = encodeMessage({ type: 2, requestId: 1, transactionId: 0, payload: Buffer.from('abc') });
    for (const byte of bytes.subarray(0, -1)) decoder.push(Buffer.of(byte), () => assert.fail('too early'));
    assert.equal(decoder.pendingBytes, bytes.length - 1);
    let came = 0;
    decoder.push(bytes.subarray(-1), () => came++);
    assert.equal(came, 1);
    assert.equal(decoder.pendingBytes, 0);
  });

  it('is refused by its header when it is longer than the limit', () => {
    const payload = Buffer.alloc(11);
    const bytes = encodeMessage({ type: 2, requestId: 1, transactionId: 0, payload });
    assert.equal(decodeAll([bytes], 11).length, 1);
    assert.throws(() => decodeAll([bytes.subarray(0, 16)], 10), ProtocolError);
  });

  it('is made from any bytes, or they are refused, but nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeAll([Buffer.from(bytes)], 4096);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      }),
    );
  });
});

describe('a list of strings', () => {
  it('has a NUL after each', () => {
    assert.equal(encodeStrings(['a', '', 'b']).toString(), 'a\0\0b\0');
    assert.deepEqual(encodeStrings([]), Buffer.alloc(0));
    assert.deepEqual(decodeStrings(Buffer.from('a\0\0b\0')), ['a', '', 'b']);
    assert.deepEqual(decodeStrings(Buffer.from('a\0b')), ['a', 'b']);
    assert.deepEqual(decodeStrings(Buffer.from('\0')), ['']);
    assert.deepEqual(decodeStrings(Buffer.alloc(0)), []);
  });
});

describe('a path', () => {
  it('has letters, digits and - / _ @, and no empty part', () => {
    for (const path of ['/', '/a', 'a', 'device/vusb/0', '/A-z/0_9@x', '/a/@x', `/${'x'.repeat(3071)}`]) {
      assert.equal(pathFault(path), undefined, path.slice(0, 20));
    }
    for (const path of [
      '',
      '//',
      '/a/',
      'a/',
      '/a//b',
      '/a.b',
      '/a b',
      '/\0',
      '/é',
      '@x',
      `/${'x'.repeat(3072)}`,
    ]) {
      assert.equal(isPath(path), false, path.slice(0, 20));
    }
  });

  it('to be watched may also be a special name', () => {
    assert.ok(['/a', '@introduceDomain', '@releaseDomain', '@x-1'].every(isWatchable));
    assert.ok(!['@', '@a/b', '@a b', '', '/a/'].some(isWatchable));
  });
});

describe('a permission', () => {
  it('is a letter and a domain', () => {
    for (const text of ['n0', 'r5', 'w32752', 'b7']) {
      assert.equal(formatPermission(parsePermission(text)!), text);
    }
    for (const text of ['', 'n', 'x0', 'n-1', 'n 1', 'n123456', 'n0r1', 'N0']) {
      assert.equal(parsePermission(text), undefined, text);
    }
    assert.deepEqual(parsePermissions('n0,r5')?.map(formatPermission), ['n0', 'r5']);
    assert.equal(parsePermissions('n0,,r5'), undefined);
    assert.equal(parsePermissions(''), undefined);
  });
});

describe('a directory above 4096 bytes', () => {
  it('is asked for in parts, from the byte where the last one ended', async () => {
    const { client, wire } = fakeClient();
    const listing = client.directory('/t');
    wire.refuse((await wire.take())[0]!, 'E2BIG');
    const asked: string[] = [];
    for (const part of ['7\0aa\0b\0', '7\0cc\0', '7\0d\0\0']) {
      const [request] = await wire.take();
      assert.equal(request?.type, MessageType.directoryPart);
      asked.push(textOf(request!));
      wire.answer(request!, part);
    }
    assert.deepEqual(await listing, ['aa', 'b', 'cc', 'd']);
    assert.deepEqual(asked, ['/t|0|', '/t|5|', '/t|8|']);
  });

  it('may end with an empty part, or be gone when it is asked for', async () => {
    for (const [parts, expected] of [
      [['7\0aa\0', '7\0\0'], ['aa']],
      [['7\0\0'], []],
    ] as const) {
      const { client, wire } = fakeClient();
      const listing = client.directory('/t');
      wire.refuse((await wire.take())[0]!, 'E2BIG');
      for (const part of parts) wire.answer((await wire.take())[0]!, part);
      assert.deepEqual(await listing, expected);
    }
  });

  it('is asked for again when it changed between two parts, but not for ever', async () => {
    const { client, wire } = fakeClient();
    const listing = client.directory('/t');
    wire.refuse((await wire.take())[0]!, 'E2BIG');
    for (const part of ['7\0aa\0', '8\0b\0', '8\0aa\0', '8\0c\0\0']) {
      wire.answer((await wire.take())[0]!, part);
    }
    assert.deepEqual(await listing, ['aa', 'c']);
    const endless = client.directory('/t');
    endless.catch(() => {});
    wire.refuse((await wire.take())[0]!, 'E2BIG');
    let asked = 0;
    for (let request = (await wire.take())[0]; request; request = (await wire.take())[0]) {
      wire.answer(request, `${asked++}\0aa\0`);
      assert.ok(asked < 1000);
    }
    await assert.rejects(endless, fails('too-many-retries', 'directory', '/t'));
  });

  it('whose part has no generation is not an answer', async () => {
    const { client, wire } = fakeClient();
    const listing = client.directory('/t');
    listing.catch(() => {});
    wire.refuse((await wire.take())[0]!, 'E2BIG');
    wire.answer((await wire.take())[0]!, 'aa');
    await assert.rejects(listing, fails('protocol', 'directory', '/t'));
  });

  it('that is gone when its parts are asked for is missing', async () => {
    const { client, wire } = fakeClient();
    const listing = client.directory('/t');
    listing.catch(() => {});
    wire.refuse((await wire.take())[0]!, 'E2BIG');
    wire.refuse((await wire.take())[0]!, 'ENOENT');
    assert.equal(await listing, undefined);
  });
});
