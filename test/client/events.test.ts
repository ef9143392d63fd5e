/** Events: resumed by id, by a client that reconnects; and what comes by TLS. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request as overHttp } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Streamed } from '../../src/api/index.js';
import { StreamParser } from '../../src/api/stream-parser.js';
import { openDaemon } from '../../src/client/index.js';
import { openApi } from '../../src/daemon/http/index.js';
import { formatToken, parseTokens } from '../../src/daemon/http/tokens.js';
import { isPvusbError, type PvusbError } from '../../src/pvusb/index.js';
import { type ApiStage, apiStage } from '../daemon/stage.js';
import { projectRoot } from '../xenstored/fetch.js';

describe('events', { timeout: 60_000 }, () => {
  let stage: ApiStage;
  before(async () => {
    stage = await apiStage({ heartbeatMs: 20 });
  });
  after(() => stage[Symbol.asyncDispose]());

  const tell = (why: string): void =>
    stage.service.events.tell({ event: 'watch', watch: { event: 'trouble', why } });
  const wordOf = ({ event }: Streamed): string =>
    event.event === 'watch' && event.watch.event === 'trouble' ? event.watch.why : event.event;

  it('begin with where they are, so that they can be resumed before anything happens', async () => {
    let id = '';
    for await (const first of stage.root.events()) {
      assert.equal(first.event.event, 'start');
      ({ id } = first);
      break;
    }
    tell('one');
    tell('two');
    const told: string[] = [];
    for await (const streamed of stage.root.events({ after: id })) {
      told.push(wordOf(streamed));
      if (told.length === 2) tell('three');
      if (told.length === 3) break;
    }
    assert.deepEqual(told, ['one', 'two', 'three']);
  });

  it('are all to be looked at again when the id is not known', async () => {
    tell('first');
    const { lastId } = stage.service.events;
    for (const id of ['another-7', lastId.replace(/\d+$/, '999999'), 'x\ny'.replace('\n', '')]) {
      for await (const first of stage.root.events({ after: id })) {
        assert.equal(first.event.event, 'reset');
        assert.equal(first.id, stage.service.events.lastId);
        break;
      }
    }
    for (let at = 0; at < 10_000; at++) tell('many');
    for await (const first of stage.root.events({ after: lastId })) {
      assert.equal(first.event.event, 'reset', 'forgotten');
      break;
    }
  });

  it('go on after the connection was lost, without a gap and without one twice', async () => {
    const told: string[] = [];
    const troubles: PvusbError[] = [];
    // In between: a connection that can be cut.
    const cut = new Set<() => void>();
    const between = createServer((socket) => {
      const to = connect(stage.socketPath);
      socket.pipe(to).pipe(socket);
      for (const one of [socket, to]) one.on('error', () => undefined);
      cut.add(() => {
        socket.destroy();
        to.destroy();
      });
    });
    const path = `${stage.socketPath}-between`;
    await new Promise<void>((resolve) => between.listen(path, resolve));
    try {
      const daemon = openDaemon({ socketPath: path });
      for await (const streamed of daemon.events({ onTrouble: (error) => troubles.push(error) })) {
        told.push(wordOf(streamed));
        if (told.length === 1) {
          tell('before');
        } else if (told.length === 2) {
          for (const end of cut) end();
          tell('meanwhile');
        } else if (told.length === 3) tell('after');
        else break;
      }
    } finally {
      between.close();
    }
    assert.deepEqual(told, ['start', 'before', 'meanwhile', 'after']);
    assert.ok(troubles.every((error) => isPvusbError(error, 'daemon-unreachable')));
  });

  it('end with the signal, and nothing listens any more', async () => {
    const ending = new AbortController();
    for await (const { event } of stage.root.events({ signal: ending.signal }))
      if (event.event === 'start') ending.abort();
    while (stage.service.events.hearers > 1) await new Promise((resolve) => setImmediate(resolve));
  });

  it('have signs of life in between', async () => {
    const path = '/api/v1/events';
    await new Promise<void>((resolve, reject) => {
      const sending = overHttp({ socketPath: stage.socketPath, path, headers: { Host: 'x' }, agent: false });
      sending.once('error', reject);
      sending.once('response', (response) => {
        assert.match(String(response.headers['content-type']), /^text\/event-stream/);
        response.on('data', (chunk: Buffer) => {
          if (!chunk.toString('utf8').startsWith(': ')) return;
          response.destroy();
          resolve();
        });
        response.on('error', () => undefined);
      });
      sending.end();
    });
  });

  it('end at once when their token is taken away', async () => {
    const { events } = stage.service;
    const sending = overHttp({
      port: stage.port,
      host: '127.0.0.1',
      path: '/api/v1/events',
      headers: { Host: 'usb.example', Authorization: 'Bearer viewers-token' },
      agent: false,
    });
    const lines = stage.tokens;
    const closed = new Promise((resolve) => {
      sending.on('error', resolve);
      sending.once('response', (response) => {
        stage.tokens = [];
        response.resume();
        response.on('error', resolve);
        response.on('close', resolve);
      });
    });
    sending.end();
    await closed;
    stage.tokens = lines;
    while (events.hearers > 1) await new Promise((resolve) => setImmediate(resolve));
  });

  it('are taken apart however they are cut', () => {
    const messages = fc.array(
      fc.record({ id: fc.stringMatching(/^\w{1,8}$/), data: fc.json() }, { noNullPrototype: true }),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(messages, fc.array(fc.nat(30), { maxLength: 30 }), (sent, cuts) => {
        const text = sent.map(({ id, data }) => `id: ${id}\nevent: x\ndata: ${data}\n\n: \n\n`).join('');
        let rest = Buffer.from(text);
        const parser = new StreamParser();
        const got = [];
        for (const length of cuts) {
          got.push(...parser.push(rest.subarray(0, length)));
          rest = rest.subarray(length);
        }
        got.push(...parser.push(rest));
        assert.deepEqual(got, sent);
      }),
      { numRuns: 200 },
    );
  });

  it('and all else come by TLS, from a daemon with the right certificate only', async () => {
    const pem = (name: string): string =>
      readFileSync(join(projectRoot(), 'test/fixtures/tls', `${name}.pem`), 'utf8');
    const hosts: string[] = [];
    const { service } = stage;
    await using api = await openApi({
      service,
      audit: async () => [],
      version: '1',
      doors: [
        {
          kind: 'tcp',
          listen: { host: '127.0.0.1', port: 0 },
          tls: { cert: pem('cert'), key: pem('key') },
          tokens: async () => parseTokens(formatToken({ name: 'tls', role: 'viewer' }, 'token')).tokens,
          hosts,
        },
      ],
    });
    const { port } = api.addresses[0] as AddressInfo;
    hosts.push(`127.0.0.1:${port}`);
    const url = `https://127.0.0.1:${port}`;
    const daemon = openDaemon({ url, token: 'token', ca: pem('cert') });
    assert.deepEqual(await daemon.version(), { version: '1', api: 1 });
    for await (const { event } of daemon.events()) {
      assert.equal(event.event, 'start');
      break;
    }
    await assert.rejects(openDaemon({ url, token: 'token' }).version(), (error) =>
      isPvusbError(error, 'daemon-unreachable'),
    );
    await assert.rejects(openDaemon({ url, token: 'other', ca: pem('cert') }).version(), (error) =>
      isPvusbError(error, 'not-authenticated'),
    );
    assert.throws(
      () => openDaemon({ url: 'http://usb.example', token: 'token' }),
      (error) => isPvusbError(error, 'invalid-argument'),
    );
  });

  it('are refused elsewhere than at a door: without TLS only on this host', async () => {
    const { service } = stage;
    const listen = { host: '0.0.0.0', port: 0 };
    const door = { kind: 'tcp', listen, tokens: async () => [], hosts: [] } as const;
    await assert.rejects(openApi({ service, audit: async () => [], version: '1', doors: [door] }), (error) =>
      isPvusbError(error, 'invalid-argument'),
    );
  });
});
