import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isXenstoreError, KNOWN_ERRNOS, XenstoreError } from '../../src/xenstore/index.js';
import { fails, fakeClient, settled } from './support.js';

const BAD_PATHS: readonly string[] = [
  '',
  '//',
  '/a/',
  '/a//b',
  '/a b',
  '/a.b',
  '/a\0b',
  '/é',
  '/a\n',
  '@releaseDomain',
  `/${'x'.repeat(3072)}`,
  'x'.repeat(2049),
];

describe('before anything is sent', () => {
  it('an invalid path is refused by every operation', async () => {
    const { client, wire } = fakeClient();
    for (const path of BAD_PATHS) {
      const calls: Readonly<Record<string, Promise<unknown>>> = {
        read: client.read(path),
        write: client.write(path, ''),
        mkdir: client.mkdir(path),
        rm: client.rm(path),
        directory: client.directory(path),
        getPermissions: client.permissions(path),
        setPermissions: client.setPermissions(path, [{ domid: 0, access: 'none' }]),
      };
      for (const [operation, call] of Object.entries(calls)) {
        await assert.rejects(call, fails('invalid-path', operation), `${operation} ${path.slice(0, 20)}`);
      }
      await assert.rejects(client.readMany(['/fine', path]), fails('invalid-path', 'read'));
      await assert.rejects(client.readBytes(path), fails('invalid-path', 'read'));
    }
    assert.deepEqual(await wire.take(), []);
    assert.equal(client.pendingCount, 0);
  });

  it('a bad path is shown quoted and cut', async () => {
    const { client } = fakeClient();
    const evil = `/\x1b[2J${'x'.repeat(5000)}`;
    await assert.rejects(client.read(evil), (error: Error) => {
      assert.ok(error.message.includes('"/\\u001b[2J'), error.message);
      return error.message.length < 250;
    });
  });

  it('a payload above 4096 bytes is refused; one of 4096 is not', async () => {
    const { client, wire } = fakeClient();
    await assert.rejects(client.write('/t/v', 'x'.repeat(4092)), fails('too-long', 'write', '/t/v'));
    await assert.rejects(client.write('/t/v', 'é'.repeat(2046)), fails('too-long', 'write', '/t/v'));
    await assert.rejects(client.write('/t/v', Buffer.alloc(4092)), fails('too-long', 'write', '/t/v'));
    const many = Array.from({ length: 2000 }, (_, domid) => ({ domid, access: 'read' }) as const);
    await assert.rejects(client.setPermissions('/t/v', many), fails('too-long', 'setPermissions', '/t/v'));
    await assert.rejects(client.control(['print', 'x'.repeat(4096)]), fails('too-long', 'control'));
    assert.deepEqual(await wire.take(), []);
    client.write('/t/v', 'x'.repeat(4091)).catch(() => {});
    assert.equal((await wire.take())[0]!.payload.length, 4096);
    client.close();
  });

  it('the root cannot be removed', async () => {
    const { client, wire } = fakeClient();
    await assert.rejects(client.rm('/'), fails('invalid-path', 'rm', '/'));
    assert.deepEqual(await wire.take(), []);
  });

  it('domain 0 cannot be released, since oxenstored would remove its home', async () => {
    const { client, wire } = fakeClient();
    for (const domid of [0, -0, -1, Number.NaN]) {
      await assert.rejects(client.release(domid), fails('EINVAL', 'release'));
    }
    assert.deepEqual(await wire.take(), []);
  });

  it('permissions without an owner, and controls that are not ASCII, are refused', async () => {
    const { client, wire } = fakeClient();
    await assert.rejects(client.setPermissions('/a', []), fails('EINVAL', 'setPermissions', '/a'));
    await assert.rejects(client.control(['prïnt']), fails('EINVAL', 'control'));
    assert.deepEqual(await wire.take(), []);
  });
});

describe('an error', () => {
  it('has the daemon’s errno as its code, the operation and the path', async () => {
    for (const errno of KNOWN_ERRNOS) {
      const { client, wire } = fakeClient();
      const call = client.mkdir('/a/b');
      call.catch(() => {});
      wire.refuse((await wire.take())[0]!, errno);
      await assert.rejects(call, (error) => {
        assert.ok(fails(errno, 'mkdir', '/a/b')(error));
        assert.equal((error as Error).message, `xenstore mkdir /a/b: xenstored answered ${errno}`);
        return true;
      });
    }
  });

  it('of many reads has the path that failed', async () => {
    const { client, wire } = fakeClient();
    const call = client.readMany(['/a', '/b', '/c']);
    call.catch(() => {});
    const [a, b, c] = await wire.take();
    wire.refuse(a!, 'ENOENT');
    wire.refuse(b!, 'EACCES');
    wire.answer(c!, '');
    await assert.rejects(call, fails('EACCES', 'read', '/b'));
    assert.equal(client.pendingCount, 0);
  });

  it('that is not a known errno is unknown-errno, and its text is safe to print', async () => {
    const { client, wire } = fakeClient();
    for (const [errno, shown] of [
      ['EWHAT', 'EWHAT'],
      ['', 'an unreadable errno'],
      ['\x1b[2J', 'an unreadable errno'],
      ['E'.repeat(1000), 'an unreadable errno'],
      ['constructor', 'an unreadable errno'],
    ] as const) {
      const call = client.write('/a', '');
      call.catch(() => {});
      wire.refuse((await wire.take())[0]!, errno);
      await assert.rejects(call, (error: Error) => {
        assert.ok(fails('unknown-errno', 'write', '/a')(error));
        assert.equal(error.message, `xenstore write /a: xenstored answered ${shown}`);
        return true;
      });
    }
    assert.equal(client.closed, false);
  });

  it('for a missing node does not occur where that is an answer', async () => {
    const { client, wire } = fakeClient();
    const answers = Promise.all([
      client.read('/a'),
      client.readBytes('/a'),
      client.directory('/a'),
      client.permissions('/a'),
      client.rm('/a/b'),
      client.readMany(['/a']),
    ]);
    for (const request of await wire.take()) wire.refuse(request, 'ENOENT');
    assert.deepEqual(await answers, [undefined, undefined, undefined, undefined, undefined, [undefined]]);
  });

  it('is distinguished by its codes', () => {
    const error = new XenstoreError('EACCES', 'read', '/a', 'no');
    assert.ok(isXenstoreError(error) && isXenstoreError(error, 'ENOENT', 'EACCES'));
    assert.equal(isXenstoreError(error, 'ENOENT'), false);
    assert.equal(isXenstoreError(new Error('EACCES')), false);
    assert.equal(error.name, 'XenstoreError');
  });

  it('of a lost connection says why, for each call that ran into it', async () => {
    const { client, wire } = fakeClient();
    const cause = new Error('read ECONNRESET');
    const calls = [client.read('/a'), client.readMany(['/b', '/c']), client.isIntroduced(1)];
    const outcomes = Promise.allSettled(calls);
    await settled();
    wire.lose(cause);
    const codes = (await outcomes).map((outcome) => {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof XenstoreError);
      assert.match(outcome.reason.message, /was lost \(read ECONNRESET\)/);
      return `${outcome.reason.code} ${outcome.reason.operation} ${outcome.reason.path}`;
    });
    assert.deepEqual(codes, [
      'connection-lost read /a',
      'connection-lost read undefined',
      'connection-lost isDomainIntroduced undefined',
    ]);
    await assert.rejects(client.write('/later', ''), fails('connection-lost', 'write', '/later'));
    assert.equal(client.pendingCount, 0);
    wire.lose();
    client.close();
  });

  it('of a client that was closed says so', async () => {
    const { client, wire } = fakeClient();
    const call = client.read('/a');
    call.catch(() => {});
    client.close();
    client.close();
    await client[Symbol.asyncDispose]();
    await assert.rejects(call, /connection: closed by this program|read \/a: closed by this program/);
    assert.ok(wire.closed);
    await assert.rejects(client.read('/b'), fails('connection-lost', 'read', '/b'));
  });
});
