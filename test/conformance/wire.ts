/** The protocol itself: unknown requests, sizes, many requests at once. */

import assert from 'node:assert/strict';
import { MessageType } from '../../src/xenstore/wire.js';
import { control, end, mkdir, read, request, watch, within, write } from './requests.js';
import {
  ask,
  askAll,
  begin,
  type Lab,
  OK,
  type Scenario,
  type Step,
  scenario,
  scenarioOfC,
  sees,
  show,
  times,
} from './scenario.js';

const UNKNOWN = [20, MessageType.getFeature, 99, 0xffff, MessageType.watchEvent, MessageType.error];

/** Someone sends the header of a request, then nothing of its body; the connection ends. */
function sendsHeader(who: string, type: number, announcedBytes: number): Step {
  return async (lab: Lab) => {
    const raw = await lab.connection(who);
    const header = Buffer.alloc(16);
    header.writeUInt32LE(type, 0);
    header.writeUInt32LE(announcedBytes, 12);
    raw.sendBytes(header);
    await raw.untilClosed();
  };
}

/** 1,000 requests in one piece, half of them refused: the answers come in order. */
const manyInOrder: Step = async (lab) => {
  const raw = await lab.connection('dom0');
  const before = raw.received.length;
  const requests = times(1000, (at) => (at % 2 ? read(`/t/n${at - 1}`) : write(`/t/n${at}`, `${at}`)));
  const answers = await lab.ask('dom0', requests);
  assert.deepEqual(
    answers,
    times(1000, (at) => (at % 2 ? `${at - 1}` : OK)),
  );
  const ids = raw.received.slice(before).map(({ requestId }) => requestId);
  assert.deepEqual(
    ids,
    times(1000, (at) => ids[0]! + at),
    'in the order of the requests',
  );
};

/** The C daemon does not send an event while the same one is still waiting to be sent: nobody may count events. */
const manyChanges: Step = async (lab) => {
  const raw = await lab.connection('dom0');
  await lab.ask('dom0', [watch('/t/a', 'tok'), ...times(500, (at) => write('/t/a', `${at}`))]);
  const events = await raw.takeEvents();
  if (lab.subject.like === 'o') assert.equal(events.length, 501);
  else assert.ok(events.length >= 1 && events.length <= 501, `${events.length} events`);
};

/** A request that arrives byte by byte. */
const inPieces: Step = async (lab) => {
  const raw = await lab.connection('dom0');
  const bytes = Buffer.alloc(16 + 5);
  bytes.writeUInt32LE(MessageType.read, 0);
  bytes.writeUInt32LE(4242, 4);
  bytes.writeUInt32LE(5, 12);
  bytes.write('name\0', 16);
  for (const byte of bytes) {
    raw.sendBytes(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  while (raw.received.length === 0) await new Promise(setImmediate);
  const [reply] = raw.received;
  assert.deepEqual(
    [reply!.type, reply!.requestId, show(reply!.payload)],
    [MessageType.read, 4242, 'Domain-0'],
  );
};

export const wire: readonly Scenario[] = [
  ...UNKNOWN.map((type) =>
    scenario(`a request of type ${type} is unknown`, ask('dom0', request(type, 'x\0'), '!ENOSYS')),
  ),
  scenario('control check is answered', ask('dom0', control('check'), OK)),
  scenarioOfC('an unknown control command is refused', ask('dom0', control('nonsense'), '!EINVAL')),
  scenario('1,000 requests in one piece are answered in order', manyInOrder),
  scenario('a request may arrive in pieces', inPieces),
  scenario(
    'a guest may also send many requests in one piece',
    askAll(
      'guest',
      times(300, (index) => write(`n${index % 7}`, `${index}`)),
    ),
    ask('guest', read('n6'), '293'),
  ),
  scenario(
    'a reply in a transaction carries its id, even if it is an error',
    begin('dom0', 'A'),
    ask('dom0', within('A', read('/t/none')), '!ENOENT'),
    ask('dom0', within('A', end('F')), OK),
  ),
  scenario(
    'a watch set among many requests fires among their answers',
    askAll('dom0', [watch('/t', 'tok'), mkdir('/t/a'), mkdir('/t/b')]),
    sees('dom0', ['/t|tok|', '/t/a|tok|', '/t/b|tok|']),
  ),
  scenario(
    'of many changes to one node the C daemon may report fewer, and oxenstored reports all',
    manyChanges,
  ),
  scenario(
    'a request of 4096 bytes is accepted',
    ask('dom0', request(MessageType.write, `/t/v\0${'v'.repeat(4091)}`), { c: OK, o: '!E2BIG' }),
    ask('dom0', read('name'), 'Domain-0'),
  ),
  scenario(
    'a request of more than 4096 bytes costs the connection',
    ask('spare', write('/t/v', 'v'.repeat(4092)), { c: '!CLOSED', o: '!E2BIG' }),
    ask('dom0', read('/t/v'), '!ENOENT'),
  ),
  scenarioOfC(
    'the header of a request that is too long is enough for that',
    sendsHeader('spare', MessageType.write, 4097),
  ),
];
