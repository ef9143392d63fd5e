import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeMessage, MessageType } from '../../src/xenstore/wire.js';
import { encodeEvent, encodeReply, fails, fakeClient, settled, textOf } from './support.js';

describe('a connection', () => {
  it('sends what is asked in one turn in one write', async () => {
    const { client, wire } = fakeClient();
    const answers = Promise.all([client.read('/a'), client.write('/b', 'é'), client.directory('/c')]);
    const requests = await wire.take();
    assert.deepEqual(requests.map(textOf), ['/a|', '/b|\xc3\xa9', '/c|']);
    assert.equal(wire.writes, 1);
    for (const [at, payload] of ['1', 'OK\0', 'x\0y\0'].entries()) wire.answer(requests[at]!, payload);
    assert.deepEqual(await answers, ['1', undefined, ['x', 'y']]);
    assert.equal(client.pendingCount, 0);
  });

  it('gives every request an id of its own', async () => {
    const { client, wire } = fakeClient();
    for (let i = 0; i < 200; i++) client.read('/a').catch(() => {});
    const requests = await wire.take();
    assert.equal(new Set(requests.map(({ requestId }) => requestId)).size, 200);
    assert.ok(requests.every(({ requestId }) => requestId !== 0));
    client.close();
  });

  it('matches replies by id, in whatever order they come', async () => {
    const { client, wire } = fakeClient();
    const answers = Promise.all(['/0', '/1', '/2', '/3'].map((path) => client.read(path)));
    const many = client.readMany(['/4', '/5', '/6']);
    const requests = await wire.take();
    for (const at of [6, 2, 0, 5, 3, 1, 4]) wire.answer(requests[at]!, String(at));
    assert.deepEqual(await answers, ['0', '1', '2', '3']);
    assert.deepEqual(await many, ['4', '5', '6']);
  });

  it('has at most 256 requests unanswered, and sends more as room comes', async () => {
    const { client, wire } = fakeClient();
    const all = Promise.all([
      client.readMany(Array.from({ length: 600 }, (_, i) => `/many/${i}`)),
      ...Array.from({ length: 400 }, (_, i) => client.read(`/one/${i}`)),
    ]);
    const unanswered = await wire.take();
    assert.equal(unanswered.length, 256);
    assert.equal(client.pendingCount, 1000);
    let seen = 0;
    while (unanswered.length > 0) {
      for (const request of unanswered.splice(0, 100)) {
        wire.answer(request, textOf(request).slice(0, -1));
        seen++;
      }
      unanswered.push(...(await wire.take()));
      assert.ok(unanswered.length <= 256);
    }
    const [many, ...ones] = await all;
    assert.equal(seen, 1000);
    assert.equal((many as string[])[599], '/many/599');
    assert.equal(ones[399], '/one/399');
    assert.ok(wire.writes < 20, `${wire.writes} writes`);
  });

  it('takes replies and events split anywhere, and many in one piece', async () => {
    const { client, wire } = fakeClient();
    for (const size of [1, 7, 16, 17, 1000]) {
      const watching = client.watch('/w');
      const reading = Promise.all([client.read('/a'), client.read('/b')]);
      const [watch, a, b] = await wire.take();
      const token = textOf(watch!).split('|')[1]!;
      const bytes = Buffer.concat([
        encodeEvent('/w', token),
        encodeReply(b!, 'B'),
        encodeReply(watch!, 'OK\0'),
        encodeEvent('/w/x', token),
        encodeReply(a!, ''),
      ]);
      for (let at = 0; at < bytes.length; at += size) wire.bytes(Buffer.from(bytes.subarray(at, at + size)));
      assert.deepEqual(await reading, ['', 'B']);
      assert.deepEqual((await (await watching).next()).value, ['/w', '/w/x']);
    }
    client.close();
  });

  it('does not keep what it passes on in a buffer that is reused', async () => {
    const { client, wire } = fakeClient();
    const bytes = client.readBytes('/a');
    const [request] = await wire.take();
    const chunk = encodeReply(request!, 'value');
    wire.bytes(chunk);
    chunk.fill(0);
    assert.equal((await bytes)?.toString(), 'value');
  });

  it('keeps the process alive while a request is unanswered or a watch is open, and only then', async () => {
    const { client, wire } = fakeClient();
    assert.equal(wire.keeps, false);
    const many = client.readMany(['/a', '/b']);
    assert.equal(wire.keeps, true);
    for (const request of await wire.take()) wire.answer(request, '');
    await many;
    assert.equal(wire.keeps, false);
    const watching = client.watch('/w');
    wire.answer((await wire.take())[0]!, 'OK\0');
    const watch = await watching;
    assert.equal(wire.keeps, true);
    const closing = watch.close();
    wire.answer((await wire.take())[0]!, 'OK\0');
    await closing;
    assert.equal(wire.keeps, false);
    const aborted = client.read('/a', { signal: AbortSignal.abort(new Error('no')) });
    await assert.rejects(aborted, /no/);
    assert.equal(wire.keeps, false);
  });
});

describe('an abort', () => {
  it('before a call sends nothing', async () => {
    const { client, wire } = fakeClient();
    const signal = AbortSignal.abort(new Error('given up'));
    for (const call of [
      client.read('/a', { signal }),
      client.readMany(['/a', '/b'], { signal }),
      client.write('/a', '', { signal }),
      client.directory('/a', { signal }),
      client.watch('/a', { signal }),
      client.transaction(async () => assert.fail('the body ran'), { signal }),
      client.isIntroduced(1, { signal }),
    ]) {
      await assert.rejects(call, /given up/);
    }
    assert.deepEqual(await wire.take(), []);
    assert.equal(client.watchCount, 0);
  });

  it('rejects at once, and what was sent is pending until its reply', async () => {
    const { client, wire } = fakeClient();
    const giveUp = new AbortController();
    const calls = [
      client.read('/a', giveUp),
      client.readMany(['/b', '/c'], giveUp),
      client.mkdir('/d', giveUp),
    ];
    const outcomes = Promise.allSettled(calls);
    const requests = await wire.take();
    const reason = new Error('given up');
    giveUp.abort(reason);
    for (const outcome of await outcomes) {
      assert.equal(outcome.status === 'rejected' && outcome.reason, reason);
    }
    assert.equal(client.pendingCount, 4);
    for (const request of requests) wire.answer(request, 'late\0');
    assert.equal(client.pendingCount, 0);
    assert.equal(client.closed, false);
  });

  it('drops what has not been sent yet', async () => {
    const { client, wire } = fakeClient();
    const giveUp = new AbortController();
    const first = client.readMany(Array.from({ length: 256 }, () => '/first'));
    const queued = client.readMany(['/never', '/never'], giveUp);
    const kept = client.read('/kept');
    const requests = await wire.take();
    giveUp.abort();
    await assert.rejects(queued, { name: 'AbortError' });
    for (const request of requests) wire.answer(request, '');
    await first;
    const later = await wire.take();
    assert.deepEqual(later.map(textOf), ['/kept|']);
    wire.answer(later[0]!, '');
    await kept;
    assert.equal(client.pendingCount, 0);
  });

  it('after the end of a call changes nothing, however many calls share the signal', async () => {
    const { client, wire } = fakeClient();
    const giveUp = new AbortController();
    const warnings: unknown[] = [];
    const onWarning = (warning: unknown) => warnings.push(warning);
    process.on('warning', onWarning);
    const reads = Promise.all(Array.from({ length: 50 }, () => client.read('/a', giveUp)));
    for (const request of await wire.take()) wire.answer(request, '1');
    assert.equal((await reads).join(''), '1'.repeat(50));
    giveUp.abort();
    await settled();
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });
});

describe('bytes that are not the protocol', () => {
  const garbage: Readonly<Record<string, (id: number) => Buffer>> = {
    'a reply to no request': (id) => encodeMessage(message(MessageType.read, id + 7)),
    'a reply of another type': (id) => encodeMessage(message(MessageType.write, id)),
    'a message of 4 GB': (id) => {
      const bytes = encodeMessage(message(MessageType.read, id));
      bytes.writeUInt32LE(0xffff_fff0, 12);
      return bytes;
    },
    'a line of HTTP': () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  };
  for (const [what, make] of Object.entries(garbage)) {
    it(`end the connection with "protocol": ${what}`, async () => {
      const { client, wire } = fakeClient();
      const watching = client.watch('/w');
      wire.answer((await wire.take())[0]!, 'OK\0');
      const watch = await watching;
      const read = client.read('/a');
      const other = client.mkdir('/b');
      const [request] = await wire.take();
      wire.bytes(make(request!.requestId));
      await assert.rejects(read, fails('protocol', 'read', '/a'));
      await assert.rejects(other, fails('protocol', 'mkdir', '/b'));
      await assert.rejects(watch.next(), fails('protocol', 'watch', '/w'));
      await assert.rejects(client.read('/later'), fails('protocol', 'read', '/later'));
      assert.ok(wire.closed && client.closed);
      assert.equal(client.pendingCount, 0);
    });
  }

  it('that are complete, but make no sense as an answer, fail only that call', async () => {
    const { client, wire } = fakeClient();
    const calls = [client.permissions('/a'), client.transaction(async () => assert.fail('the body ran'))];
    const outcomes = Promise.allSettled(calls);
    for (const request of await wire.take()) wire.answer(request, 'zz\0');
    for (const outcome of await outcomes) {
      assert.ok(outcome.status === 'rejected' && fails('protocol')(outcome.reason), JSON.stringify(outcome));
    }
    assert.equal(client.closed, false);
  });
});

function message(type: number, requestId: number) {
  return { type, requestId, transactionId: 0, payload: Buffer.from('x') };
}
