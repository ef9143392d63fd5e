import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { QmpClient, QmpError } from '../../src/qmp/index.js';
import { LineDecoder, type QmpMessage } from '../../src/qmp/wire.js';
import { fuzz } from '../fuzz/fuzz.js';
import { FakeQemu, fails, GREETING, settled } from './support.js';

const FUZZED_STREAMS = 10_000;

function decode(chunks: readonly (string | Buffer)[], maxBytes?: number): QmpMessage[] {
  const messages: QmpMessage[] = [];
  const decoder = new LineDecoder(maxBytes);
  for (const chunk of chunks) {
    const buffer = Buffer.from(chunk);
    decoder.push(buffer, (message) => messages.push(message));
    // The transport may use it again.
    buffer.fill(0x7b);
  }
  return messages;
}

const STREAM = Buffer.from(
  `${GREETING}{"return": {"é": "\u{1f600}"}, "id": "1"}\r\n\r\n{"event": "RESET", "timestamp": {"seconds": -1, ` +
    '"microseconds": -1}}\n{"id": 7, "error": {"class": "GenericError", "desc": "no", "data": {}}}\r\n',
);

describe('the decoder', () => {
  it('gives the same messages wherever the bytes are cut', () => {
    const whole = decode([STREAM]);
    assert.deepEqual(whole.slice(1), [
      { kind: 'return', id: '1', value: { é: '\u{1f600}' } },
      { kind: 'event', event: { name: 'RESET', data: {}, atMs: undefined } },
      { kind: 'error', id: 7, class: 'GenericError', desc: 'no' },
    ]);
    for (let at = 0; at <= STREAM.length; at++) {
      assert.deepEqual(decode([STREAM.subarray(0, at), STREAM.subarray(at)]), whole);
    }
    assert.deepEqual(decode([...STREAM].map((byte) => Buffer.from([byte]))), whole);
  });

  it('accepts no line longer than its limit, complete or not', () => {
    const line = `{"return": "${'x'.repeat(100)}"}\n`;
    assert.equal(decode([line, line], line.length - 1).length, 2);
    assert.throws(() => decode([line], line.length - 2), fails('protocol'));
    assert.throws(() => decode(['x'.repeat(30), 'x'.repeat(30)], 50), fails('protocol'));
  });

  it('takes a line of megabytes in small pieces quickly', () => {
    const line = Buffer.from(`{"return": "${'x'.repeat(8_000_000)}"}\n`);
    const pieces = Array.from({ length: Math.ceil(line.length / 1000) }, (_, i) =>
      line.subarray(i * 1000, (i + 1) * 1000),
    );
    assert.equal(decode(pieces).length, 1);
  });

  it('refuses what is not a message, with nothing in its error that a terminal would obey', () => {
    for (const line of [
      'x\u001b[2J',
      '[]',
      '3',
      'null',
      '{}',
      '{"error": {}}',
      '{"QMP": {}}',
      '{"return"',
      '"\\',
    ]) {
      assert.throws(
        () => decode([`${line}\n`]),
        (error) => fails('protocol')(error) && !/[\0-\x1f]/.test((error as QmpError).message),
      );
    }
  });
});

describe('a client whose QEMU says anything at all', () => {
  it('settles every call, with a result or a QmpError, and keeps nothing', async () => {
    const outcomes = new Map<string, number>();
    const count = (name: string): void => void outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    await fuzz('streams of QMP answers', FUZZED_STREAMS, async (dice) => {
      const qemu = new FakeQemu();
      const told: string[] = [];
      const speak = (line: string): void => {
        told.push(line);
        let bytes = Buffer.from(`${line}\r\n`);
        if (dice.chance(0.01)) bytes = bytes.subarray(0, dice.int(bytes.length));
        if (dice.chance(0.01) && bytes.length > 0) bytes[dice.int(bytes.length)] = dice.int(256);
        const at = dice.int(bytes.length + 1);
        qemu.say(bytes.subarray(0, at));
        qemu.say(bytes.subarray(at));
      };
      const message = (id: string): string => {
        const shownId = dice.chance(0.9) ? JSON.stringify(id) : dice.pick(['7', 'null', '"?"', '{}']);
        return dice.pick([
          `{"return": ${JSON.stringify(dice.text())}, "id": ${shownId}}`,
          `{"id": ${shownId}, "return": {}}`,
          `{"error": {"class": "GenericError", "desc": ${JSON.stringify(dice.text())}}, "id": ${shownId}}`,
          `{"event": "DEVICE_DELETED", "data": {"device": "d${dice.int(3)}"}}`,
          `{"event": "RESET", "timestamp": {"seconds": 1, "microseconds": 2}}`,
          dice.chance(0.1) ? dice.text() : '',
          dice.chance(0.05) ? `{"error": {"class": "GenericError", "desc": "x"}}` : ' ',
          dice.chance(0.05) ? JSON.stringify([dice.text()]) : '',
        ]);
      };
      const calls: Promise<void>[] = [];
      const track = (call: Promise<unknown>): void => {
        const failed = (error: unknown): void => {
          if (!(error instanceof QmpError)) throw error;
          count(error.code);
        };
        calls.push(call.then(() => count('result'), failed));
      };
      const opening = QmpClient.open(qemu);
      track(opening);
      await settled();
      for (let i = dice.int(2); i > 0; i--) speak(message('early'));
      speak(GREETING.trimEnd());
      await settled();
      const negotiation = qemu.sent.shift();
      if (negotiation) speak(`{"return": {}, "id": "${negotiation.id}"}`);
      const ending = settled().then(() => qemu.die());
      const client = await opening.catch(() => undefined);
      if (client) {
        for (let i = 1 + dice.int(4); i > 0; i--) track(client.execute(`c${i}`));
        track(client.expectEvent('DEVICE_DELETED', ({ device }) => device === 'd1').arrived);
        for (let i = 0; i < 8; i++) speak(message(dice.pick(qemu.sent)?.id ?? 'none'));
      }
      await Promise.all(calls);
      await ending;
      if (client && (client.pendingCount !== 0 || !client.closed)) throw new Error('something is left');
    });
    process.stdout.write(`fuzz: ${[...outcomes].map(([name, times]) => `${times} ${name}`).join(', ')}\n`);
    for (const outcome of ['result', 'refused', 'connection-lost', 'protocol']) {
      assert.ok((outcomes.get(outcome) ?? 0) > 100, outcome);
    }
  });
});
