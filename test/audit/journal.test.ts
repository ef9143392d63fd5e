/** Changes as the systemd journal gets them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type ChangeLine, openJournal } from '../../src/audit/index.js';
import { encodeFields, journalFields } from '../../src/audit/journal.js';
import { receiving } from '../linux/receiver.js';
import { orSkip, programOf } from '../support/needs.js';

const CHANGE: ChangeLine = {
  line: 'change',
  seq: 7,
  time: '2026-11-28T12:00:00.000Z',
  who: { name: 'token rack', via: 'tcp', role: 'operator' },
  what: 'attach',
  request: { domain: 'u1', device: '4-1' },
  why: 'first\nsecond',
  guests: [{ domid: 3, name: 'u1', uuid: 'b1f1' }],
  devices: ['4-1', '1-1'],
  steps: [],
};

const folder = mkdtempSync(join(tmpdir(), 'pvusb-journal-'));
after(() => rmSync(folder, { recursive: true }));
const python = await orSkip('the journal', 'python3', () => programOf('python3'));

describe('the journal', () => {
  it('is told who did what to whom', () => {
    const fields = journalFields(CHANGE, 'ab');
    const of = (name: string) => fields.flatMap(([key, value]) => (key === name ? value : []));
    assert.deepEqual(of('MESSAGE'), ['token rack: attach (u1, 4-1, 1-1): done']);
    assert.deepEqual(of('PVUSB_DEVICE'), ['4-1', '1-1']);
    assert.deepEqual([...of('PVUSB_GUEST'), ...of('PVUSB_ACTION'), ...of('PRIORITY')], ['u1', 'attach', '6']);
    assert.deepEqual(of('PVUSB_UID'), []);
    const failed = journalFields({ ...CHANGE, error: { code: 'is-hub', message: '4-1 is a hub.' } }, 'ab');
    assert.ok(failed.some(([name, value]) => name === 'PVUSB_ERROR' && value === 'is-hub'));
    assert.ok(failed.some(([name, value]) => name === 'PRIORITY' && value === '4'));
  });

  it('gets values with line feeds by their length', () => {
    const bytes = encodeFields([
      ['A', 'x=y'],
      ['B', 'é\nA=forged'],
    ]);
    assert.equal(bytes.toString('latin1'), 'A=x=y\nB\n\x0b\0\0\0\0\0\0\0Ã©\nA=forged\n');
  });

  it('gets a datagram a change; where there is none, nothing happens', { skip: python.skip }, async () => {
    const path = join(folder, 'socket');
    const send = await openJournal(path);
    send(CHANGE, 'ab');
    const [bytes] = await receiving(path, 1, () => send(CHANGE, 'ab'));
    assert.deepEqual(bytes, encodeFields(journalFields(CHANGE, 'ab')));
  });
});
