/** Who has gone away leaves nothing behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { apiStage, HOST, TOKENS } from './stage.js';

const EVENTS = `GET /api/v1/events HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: Bearer ${TOKENS.admin}\r\n\r\n`;

describe('a client that goes away', { timeout: 60_000 }, () => {
  it('before it is known who it is: no stream is left of it', async () => {
    await using stage = await apiStage();
    const { root } = stage;
    const seen = async (): Promise<number> =>
      [...(await root.metrics()).matchAll(/http_requests_total\{route="events".*\} (\d+)/g)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    const before = await seen();
    let goOn: () => void = () => undefined;
    stage.tokensRead = new Promise((resolve) => {
      goOn = resolve;
    });
    const socket = connect(stage.port, '127.0.0.1');
    socket.write(EVENTS, () => socket.destroy());
    while ((await seen()) === before) await new Promise((done) => setImmediate(done));
    stage.tokensRead = undefined;
    goOn();
    await root.version();
    assert.match(await root.metrics(), /pvusb_event_streams 0\n/);
  });
});

describe('a token that is taken out of the file', { timeout: 60_000 }, () => {
  it('while the body of a request is awaited is refused', async () => {
    await using stage = await apiStage();
    let reads = 0;
    Object.defineProperty(stage, 'tokensRead', { get: () => void reads++ });
    const body = '{"domain":"u1","device":"4-1"}';
    const socket = connect(stage.port, '127.0.0.1');
    const head = [
      'POST /api/v1/attach HTTP/1.1',
      `Host: ${HOST}`,
      `Authorization: Bearer ${TOKENS.admin}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    while (reads === 0) await new Promise((done) => setImmediate(done));
    stage.tokens = stage.tokens.filter((line) => !line.startsWith('admin'));
    const answered = once(socket, 'data');
    socket.write(body);
    assert.match(String((await answered)[0]), /^HTTP\/1.1 401 /);
    socket.destroy();
  });
});
