import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { isQmpError, QmpClient, type QmpError } from '../../src/qmp/index.js';
import { FakeQemu, fails, fakeClient, GREETING, ManualClock, settled } from './support.js';

describe('opening a QMP client', () => {
  it('waits for the greeting, negotiates, and knows the version', async () => {
    const qemu = new FakeQemu();
    const opening = QmpClient.open(qemu);
    assert.deepEqual(await qemu.take(), []);
    qemu.say(GREETING);
    const command = await qemu.takeOne();
    assert.equal(command.execute, 'qmp_capabilities');
    qemu.answer(command);
    const client = await opening;
    assert.deepEqual(client.version, { major: 7, minor: 2, micro: 22, package: 'Debian 1:7.2' });
    assert.equal(client.pendingCount, 0);
    await client[Symbol.asyncDispose]();
    assert.ok(qemu.closed && client.closed);
  });

  it('is busy when no greeting comes within the limit, and leaves nothing open', async () => {
    const [qemu, clock] = [new FakeQemu(), new ManualClock()];
    const opening = QmpClient.open(qemu, { clock, withinMs: 500 });
    await clock.advance(499);
    assert.ok(!qemu.closed);
    const refused = assert.rejects(opening, fails('busy', 'connect'));
    await clock.advance(1);
    await refused;
    assert.ok(qemu.closed);
    assert.equal(clock.sleepers, 0);
  });

  it('is a timeout when QEMU greets and then hangs', async () => {
    const [qemu, clock] = [new FakeQemu(), new ManualClock()];
    const opening = QmpClient.open(qemu, { clock });
    await settled();
    qemu.say(GREETING);
    const refused = assert.rejects(opening, fails('timeout', 'qmp_capabilities'));
    await clock.advance(10_000);
    await refused;
    assert.ok(qemu.closed);
  });

  it('skips what the client before it left behind', async () => {
    const qemu = new FakeQemu();
    const opening = QmpClient.open(qemu);
    await settled();
    qemu.say('{"return": {}, "id": 786432}\r\n{"error": {"class": "GenericError", "desc": "x"}}\r\n');
    qemu.say(`${GREETING}{"return": [], "id": "pvusb-other-1"}\r\n{"return": {}}\r\n`);
    qemu.answer(await qemu.takeOne());
    const client = await opening;
    assert.equal(client.pendingCount, 0);
  });

  it('fails with what QEMU did: refusing, leaving, talking nonsense', async () => {
    const cases: [string, (qemu: FakeQemu) => void][] = [
      ['connection-lost', (qemu) => qemu.die(new Error('read ECONNRESET'))],
      ['protocol', (qemu) => qemu.say('SSH-2.0-OpenSSH_9.2\r\n')],
      ['protocol', (qemu) => qemu.tell({ QMP: { version: { qemu: { major: '7' } } } })],
      ['protocol', (qemu) => qemu.tell([GREETING])],
      ['protocol', (qemu) => qemu.say(GREETING + GREETING)],
    ];
    for (const [code, act] of cases) {
      const qemu = new FakeQemu();
      const refused = assert.rejects(QmpClient.open(qemu), fails(code));
      await settled();
      act(qemu);
      await refused;
      assert.ok(qemu.closed);
    }
  });

  it('can be aborted', async () => {
    const qemu = new FakeQemu();
    const giveUp = new AbortController();
    const opening = QmpClient.open(qemu, { signal: giveUp.signal });
    const refused = assert.rejects(opening, /enough/);
    await settled();
    giveUp.abort(new Error('enough'));
    await refused;
    assert.ok(qemu.closed);
    assert.equal(getEventListeners(giveUp.signal, 'abort').length, 0);
    await assert.rejects(QmpClient.open('/nowhere', { signal: giveUp.signal }), /enough/);
  });

  it('says why a socket cannot be reached', async () => {
    for (const [path, code] of [
      ['/nonexistent/qmp', 'ENOENT'],
      ['/dev/null', 'ECONNREFUSED'],
    ] as const) {
      await assert.rejects(QmpClient.open(path), (error) => {
        assert.ok(isQmpError(error, 'unreachable'));
        assert.equal((error.cause as NodeJS.ErrnoException).code, code);
        return true;
      });
    }
    await assert.rejects(QmpClient.open(`/${'é'.repeat(54)}`), /at most 107 bytes/);
  });
});

describe('a QMP client', () => {
  it('matches answers by id, in whatever order they come and between events', async () => {
    const { client, qemu } = await fakeClient();
    const answers = Promise.all(['a', 'b', 'c'].map((name) => client.execute(name, { name })));
    const [a, b, c] = await qemu.take();
    assert.deepEqual(
      [a, b, c].map((command) => [command?.execute, command?.arguments]),
      [
        ['a', { name: 'a' }],
        ['b', { name: 'b' }],
        ['c', { name: 'c' }],
      ],
    );
    qemu.event('RESET');
    qemu.answer(c!, 3);
    qemu.answer(a!, null);
    qemu.event('RTC_CHANGE');
    qemu.answer(b!, { two: [2] });
    assert.deepEqual(await answers, [null, { two: [2] }, 3]);
    assert.equal(client.pendingCount, 0);
  });

  it('has at most 8 commands unanswered, and sends the rest in order as room comes', async () => {
    const { client, qemu } = await fakeClient();
    const answers = Promise.all(Array.from({ length: 30 }, (_, i) => client.execute(`c${i}`)));
    assert.equal(client.pendingCount, 30);
    const order: string[] = [];
    for (let commands = await qemu.take(); commands.length > 0; commands = await qemu.take()) {
      assert.ok(commands.length <= 8);
      for (const command of commands) {
        order.push(command.execute);
        qemu.answer(command, command.execute);
      }
    }
    assert.deepEqual(await answers, order);
    assert.deepEqual(
      order,
      Array.from({ length: 30 }, (_, i) => `c${i}`),
    );
  });

  it('reports a refusal with its class and its words, made harmless', async () => {
    const { client, qemu } = await fakeClient();
    const answer = client.execute('device_add');
    const refused = assert.rejects(answer, (error: QmpError) => {
      assert.ok(isQmpError(error, 'refused'));
      assert.equal(error.class, 'GenericError');
      assert.equal(error.desc?.slice(0, 21), 'Bus \\u{1b}[2J\\u{202e}');
      assert.ok(error.desc.length < 450);
      assert.ok(error.message.startsWith('QEMU device_add: Bus '));
      return true;
    });
    qemu.refuse(await qemu.takeOne(), 'GenericError', `Bus \u001b[2J\u202e${'x'.repeat(100_000)}`);
    await refused;
    const other = client.execute('x');
    const unreadable = assert.rejects(other, (error: QmpError) => error.class === 'unreadable');
    qemu.refuse(await qemu.takeOne(), 'A\nB', '');
    await unreadable;
  });

  it('abandons a command when its time is up, and skips its late answer', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const late = client.execute('slow', {}, { withinMs: 100 });
    const refused = assert.rejects(late, (error: QmpError) => {
      return isQmpError(error, 'timeout') && error.message.includes('may still be carried out');
    });
    const slow = await qemu.takeOne();
    await clock.advance(100);
    await refused;
    assert.equal(client.pendingCount, 0);
    assert.equal(clock.sleepers, 0);
    qemu.answer(slow, 'late');
    const next = client.execute('next');
    qemu.answer(await qemu.takeOne(), 'in time');
    assert.equal(await next, 'in time');
  });

  it('never sends a command that was abandoned while it waited for room', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const first = Array.from({ length: 8 }, () => client.execute('first'));
    const waiting = assert.rejects(client.execute('waiting', {}, { withinMs: 10 }), /was not sent/);
    const commands = await qemu.take();
    await clock.advance(10);
    await waiting;
    for (const command of commands) qemu.answer(command);
    await Promise.all(first);
    assert.deepEqual(await qemu.take(), []);
    assert.equal(client.pendingCount, 0);
  });

  it('can be aborted, without leaving a listener', async () => {
    const { client, qemu } = await fakeClient();
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const answers = Array.from({ length: 20 }, () => client.execute('x', {}, { signal }));
    using expected = client.expectEvent('X', undefined, { signal });
    const refused = [...answers, expected.arrived].map((each) => assert.rejects(each, /enough/));
    await qemu.take();
    giveUp.abort(new Error('enough'));
    await Promise.all(refused);
    assert.equal(client.pendingCount, 0);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await assert.rejects(client.execute('x', {}, { signal }), /enough/);
    await assert.rejects(client.expectEvent('X', undefined, { signal }).arrived, /enough/);
    assert.equal(client.pendingCount, 0);
  });

  it('fails everything that is pending when QEMU dies, and everything later', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const answers = Array.from({ length: 12 }, () => client.execute('x'));
    using expected = client.expectEvent('X');
    const refused = [
      ...answers.map((each) => assert.rejects(each, fails('connection-lost', 'x'))),
      assert.rejects(expected.arrived, fails('connection-lost', 'event X')),
    ];
    qemu.die();
    await Promise.all(refused);
    assert.equal(client.pendingCount, 0);
    assert.equal(clock.sleepers, 0);
    assert.ok(client.closed && qemu.closed);
    await assert.rejects(client.execute('y'), fails('connection-lost', 'y'));
    await assert.rejects(client.expectEvent('Y').arrived, fails('connection-lost', 'event Y'));
    client.close();
  });

  it('ends the connection when QEMU cannot read what it was sent', async () => {
    const { client, qemu } = await fakeClient();
    const refused = assert.rejects(client.execute('x'), fails('protocol', 'x'));
    qemu.tell({ error: { class: 'GenericError', desc: 'JSON parse error' } });
    await refused;
    assert.ok(client.closed);
  });

  it('refuses texts that QEMU could not read, before sending', async () => {
    const { client, qemu } = await fakeClient();
    for (const text of ['a\0b', '\ud800', 'x\udc00']) {
      await assert.rejects(client.execute('x', { deep: [{ text }] }), TypeError);
      await assert.rejects(client.execute('x', { [text]: 1 }), TypeError);
    }
    assert.equal(client.pendingCount, 0);
    const answer = client.execute('x', { text: '\\u0000 é \u{1f600} "' });
    const command = await qemu.takeOne();
    assert.deepEqual(command.arguments, { text: '\\u0000 é \u{1f600} "' });
    qemu.answer(command);
    await answer;
  });
});

describe('an expected event', () => {
  it('is the first that matches, even if it comes before the answer', async () => {
    const { client, qemu } = await fakeClient();
    using deleted = client.expectEvent('DEVICE_DELETED', ({ device }) => device === 'b');
    const answer = client.execute('device_del', { id: 'b' });
    qemu.event('DEVICE_DELETED', { device: 'a' });
    qemu.event('RESET', { device: 'b' });
    qemu.event('DEVICE_DELETED', { device: 'b', path: '/first' });
    qemu.event('DEVICE_DELETED', { device: 'b', path: '/second' });
    qemu.answer(await qemu.takeOne());
    await answer;
    const event = await deleted.arrived;
    assert.deepEqual(event.data, { device: 'b', path: '/first' });
    assert.equal(event.atMs, 1_700_000_000_250);
    assert.equal(client.pendingCount, 0);
  });

  it('has a limit, and is nothing after it is disposed of', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const late = client.expectEvent('X', undefined, { withinMs: 5 });
    const refused = assert.rejects(late.arrived, fails('timeout', 'event X'));
    await clock.advance(5);
    await refused;
    client.expectEvent('X')[Symbol.dispose]();
    await settled();
    assert.equal(client.pendingCount, 0);
    assert.equal(clock.sleepers, 0);
    qemu.event('X');
  });

  it('keeps the caller’s own mistakes to the caller', async () => {
    const { client, qemu } = await fakeClient();
    using wrong = client.expectEvent('X', () => {
      throw new Error('mine');
    });
    using right = client.expectEvent('X');
    const refused = assert.rejects(wrong.arrived, /mine/);
    qemu.event('X');
    await refused;
    assert.equal((await right.arrived).name, 'X');
    assert.ok(!client.closed);
  });
});
