/** What is hostile is refused or bounded, and the daemon lives. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { labWorld } from '../../src/sim/index.js';
import { type ApiStage, apiStage, HOST, TOKENS } from './stage.js';

/** Short, so that nobody waits. */
const LIMITS = {
  connections: 40,
  headersMs: 300,
  bodyMs: 300,
  idleMs: 300,
  answerMs: 300,
  bodyBytes: 100_000,
  streams: 20,
  streamsEach: 20,
  waitingBytes: 20_000,
};

const ADMIN = { Authorization: `Bearer ${TOKENS.admin}` };

describe('what is hostile', { timeout: 60_000 }, () => {
  let stage: ApiStage;
  before(async () => {
    stage = await apiStage(LIMITS);
  });
  after(async () => {
    assert.deepEqual(stage.faults, []);
    await stage[Symbol.asyncDispose]();
  });

  const version = { path: '/api/v1/version', headers: ADMIN };
  const isAlive = async (): Promise<void> => assert.equal((await stage.raw(version)).status, 200);

  it('has another name for the daemon (DNS rebinding)', async () => {
    for (const Host of ['evil.example', '127.0.0.1', `${HOST}:1`, `${HOST}.evil.example`, '', ` ${HOST} x`]) {
      const { status } = await stage.raw({ ...version, headers: { ...ADMIN, Host } });
      assert.ok(status === 421 || status === 400, `${Host}: ${status}`);
    }
    await isAlive();
  });

  it('comes from the page of another origin', async () => {
    for (const Origin of ['https://evil.example', 'null', `http://${HOST}.evil.example`, `ftp://${HOST}`]) {
      const { status, headers } = await stage.raw({ ...version, headers: { ...ADMIN, Origin } });
      assert.equal(status, 403, Origin);
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
    const own = await stage.raw({ ...version, headers: { ...ADMIN, Origin: `http://${HOST}` } });
    assert.equal(own.status, 200);
    const preflight = await stage.raw({ ...version, method: 'OPTIONS', headers: ADMIN });
    assert.equal(preflight.status, 405);
    for (const site of ['cross-site', 'same-site'])
      assert.equal(
        (await stage.raw({ ...version, headers: { ...ADMIN, 'Sec-Fetch-Site': site } })).status,
        403,
      );
  });

  it('is of another type, encoded, too long, or no JSON', async () => {
    const path = '/api/v1/attach';
    const post = (body: string, headers: Readonly<Record<string, string>>) =>
      stage.raw({ method: 'POST', path, body, headers: { ...ADMIN, ...headers } });
    const json = { 'Content-Type': 'application/json' };
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonp',
      '',
    ])
      assert.equal((await post('{}', { 'Content-Type': type })).status, 415, type);
    assert.equal((await post('{}', { ...json, 'Content-Encoding': 'gzip' })).status, 415);
    assert.equal((await post(`"${'x'.repeat(LIMITS.bodyBytes)}"`, json)).status, 413);
    for (const body of [
      '',
      '{',
      '[]',
      'null',
      '"x"',
      '\ufeff{}',
      '{"domain":"u1","device":"4-1","x":1}',
      '['.repeat(90_000),
    ])
      assert.equal((await post(body, json)).status, 400, body.slice(0, 40));
    assert.equal(
      (await post('{"__proto__":{"dryRun":true},"domain":"u1","device":"4-1"}', json)).status,
      400,
    );
    const withBody = await stage.raw({ ...version, body: 'x', headers: { ...ADMIN, 'Content-Length': '1' } });
    assert.equal(withBody.status, 400);
    await isAlive();
  });

  it('asks for what there is not', async () => {
    for (const path of [
      '/',
      '/api',
      '/api/v1',
      '/api/v1/',
      '/api/v1/version/',
      '/api/v1/../v1/version',
      '/%2e%2e/etc/passwd',
      '//',
      '/index.html',
      `/${'x'.repeat(9_000)}`,
      '*',
    ])
      assert.equal((await stage.raw({ path, headers: ADMIN })).status, 404, path);
    const post = await stage.raw({ ...version, method: 'POST' });
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET']);
    const twice = await stage.raw({ path: '/api/v1/list?domain=u1&domain=u2', headers: ADMIN });
    assert.equal(twice.status, 400);
    for (const query of ['?x=1', '?domain=', '?__proto__=1'])
      assert.equal((await stage.raw({ path: `/api/v1/list${query}`, headers: ADMIN })).status, 400, query);
  });

  it('has a token that is none', async () => {
    for (const Authorization of [
      'Bearer',
      'Bearer ',
      `Basic ${Buffer.from(`admin:${TOKENS.admin}`).toString('base64')}`,
      `Bearer ${TOKENS.admin}x`,
      `Bearer ${TOKENS.admin} x`,
      `Bearer ${'x'.repeat(5_000)}`,
    ]) {
      const { status, headers } = await stage.raw({ ...version, headers: { Authorization } });
      assert.deepEqual([status, headers['www-authenticate']], [401, 'Bearer'], Authorization.slice(0, 40));
    }
    const lines = stage.tokens;
    stage.tokens = lines.filter((line) => !line.startsWith('admin'));
    assert.equal((await stage.raw(version)).status, 401, 'at once when its line is gone');
    stage.tokens = lines;
  });

  /** What comes back on a connection until it ends. */
  const untilEnd = async (socket: Socket): Promise<string> => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    if (!socket.closed) await once(socket, 'close');
    return text;
  };

  const REQUEST = `GET /api/v1/version HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: Bearer ${TOKENS.admin}\r\n`;

  it('is slow: says nothing, half a request, half a body, or nothing more', async () => {
    const post = REQUEST.replace('GET /api/v1/version', 'POST /api/v1/attach');
    for (const [said, answer] of [
      ['', /^$/],
      ['GET /api', /^$/],
      [REQUEST, /^$/],
      [`${post}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{`, /^$/],
      [`${REQUEST}\r\n`, /^HTTP\/1.1 200 /],
    ] as const) {
      const socket = connect(stage.port, '127.0.0.1');
      socket.write(said);
      assert.match(await untilEnd(socket), answer, said);
    }
    await isAlive();
  });

  it('drips: each byte in time, the whole not', async () => {
    const socket = connect(stage.port, '127.0.0.1');
    const dripping = setInterval(() => socket.write('X'), 50);
    socket.write(REQUEST);
    assert.equal(await untilEnd(socket), '');
    clearInterval(dripping);
    await isAlive();
  });

  it('is no HTTP, or two requests in one (smuggling)', async () => {
    for (const said of [
      '\0\0\0\0\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: ${HOST}\r\nHost: evil\r\n\r\n`,
      `${REQUEST.replace('GET', 'POST')}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET`,
      `${REQUEST}X: ${'y'.repeat(20_000)}\r\n\r\n`,
    ]) {
      const socket = connect(stage.port, '127.0.0.1');
      socket.write(said);
      assert.match(await untilEnd(socket), /^HTTP\/1.1 4\d\d /);
    }
    await isAlive();
  });

  it('opens 1,000 idle streams: as many as allowed stay, the daemon serves others by its other door', async () => {
    const stream = `${REQUEST.replace('/version', '/events')}\r\n`;
    const sockets = Array.from({ length: 1_000 }, () => connect(stage.port, '127.0.0.1'));
    const answers = sockets.map(async (socket) => {
      socket.on('error', () => undefined);
      socket.write(stream);
      const chunk = await new Promise<Buffer | undefined>((resolve) => {
        socket.once('data', resolve);
        socket.once('close', () => resolve(undefined));
      });
      return chunk ? Number(/^HTTP\/1.1 (\d+)/.exec(chunk.toString('latin1'))?.[1]) : 0;
    });
    const statuses = await Promise.all(answers);
    const among = (status: number): number => statuses.filter((one) => one === status).length;
    assert.equal(among(200), LIMITS.streams);
    assert.equal(among(200) + among(503) + among(0), 1_000, 'the others are refused, or closed at once');
    assert.ok(among(0) > 500, 'most are closed at once');
    const { root, service } = stage;
    await root.version();
    assert.match(await root.metrics(), /pvusb_event_streams 20\n/);
    assert.equal(service.events.hearers, 2, 'one listens for all streams, and one counts');
    for (const socket of sockets) socket.destroy();
    while (service.events.hearers > 1) await new Promise((resolve) => setImmediate(resolve));
    await isAlive();
  });

  it('reads slowly: its stream ends, and the daemon keeps nothing for it', async () => {
    const socket = connect(stage.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.write(`${REQUEST.replace('/version', '/events')}\r\n`);
    await once(socket, 'data');
    socket.pause();
    const { events } = stage.service;
    const why = 'x'.repeat(100_000);
    // The kernel takes some megabytes before it waits.
    while (events.hearers > 1) {
      events.tell({ event: 'watch', watch: { event: 'trouble', why } });
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.resume();
    await closed;
    await isAlive();
  });

  it('has a device with a hostile name: it is escaped in JSON and in metrics', async () => {
    const world = labWorld();
    const hostile = 'a"b\\c\n\u001b[2J\u202e} 1\n# evil';
    const [first, ...others] = world.devices;
    const named = others.map((device, at) =>
      at === 0 ? { ...device, product: hostile, serial: hostile } : device,
    );
    await using other = await apiStage({}, { ...world, devices: [first!, ...named] });
    for (const path of [
      '/api/v1/devices?all=true',
      '/api/v1/inventory',
      '/metrics',
      '/api/v1/list',
      '/api/v1/doctor?quick=true',
    ]) {
      const { status, text } = await other.raw({ path, headers: ADMIN });
      assert.equal(status, 200);
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u, path);
      if (path !== '/metrics') {
        assert.ok(JSON.parse(text));
        continue;
      }
      const sample = /^(#.*|[a-z_]+(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? [\d.e+]+)$/;
      for (const line of text.trim().split('\n')) assert.match(line, sample);
      assert.doesNotMatch(text, /^# evil/m);
    }
    assert.deepEqual(other.faults, []);
  });

  it('gets headers that let a browser do nothing with an answer', async () => {
    const { headers } = await stage.raw(version);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(String(headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  it('gets the files of the page without a token, under the same rules, and no others', async () => {
    const file = await stage.raw({ path: '/app.js' });
    assert.deepEqual([file.status, file.text], [200, '// page']);
    assert.match(String(file.headers['content-security-policy']), /script-src 'self'/);
    assert.equal((await stage.raw({ path: '/app.js', headers: { Host: 'evil.example' } })).status, 421);
    for (const path of ['/app.js/', '/../app.js', '//app.js', '/app.js%00'])
      assert.equal((await stage.raw({ path })).status, 404, path);
  });
});
