/** Who has gone away leaves nothing behind. */
import assert from 'node:assert/strict';
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
