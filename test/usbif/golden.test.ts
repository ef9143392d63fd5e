/** The bytes that a C compiler makes of usbif.h (Debian's libxen-dev 4.17), against what this code reads and writes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CONNECTION_RING,
  connectionWord,
  parseRequest,
  REQUEST_WORDS,
  RingOffset,
  responseWords,
  SEGMENTS_MAX,
  SHORT_NOT_OK,
  URB_RING,
  UsbifSpeed,
  UsbifStatus,
} from '../../src/usbif/index.js';
import { readProjectFile } from '../architecture/sources.js';

const GOLDEN = JSON.parse(readProjectFile('test/fixtures/usbif/golden.json')) as Readonly<
  Record<string, number | string>
>;

function words(name: string): Uint32Array {
  const bytes = Uint8Array.from(Buffer.from(String(GOLDEN[name]), 'hex'));
  return new Uint32Array(bytes.buffer);
}

describe('the layout of usbif', () => {
  it('is that of the header', () => {
    const ours = {
      sizeofUrbRequest: URB_RING.entryBytes,
      sizeofUrbResponse: responseWords(ANSWER).length * 4,
      sizeofConnRequest: 2,
      sizeofConnResponse: CONNECTION_RING.entryBytes,
      urbRingSize: URB_RING.entryCount,
      connRingSize: CONNECTION_RING.entryCount,
      offsetReqProd: RingOffset.requestProducer,
      offsetReqEvent: RingOffset.requestEvent,
      offsetRspProd: RingOffset.responseProducer,
      offsetRspEvent: RingOffset.responseEvent,
      offsetRing: RingOffset.entries,
      entry: REQUEST_WORDS * 4,
      connEntry: CONNECTION_RING.entryBytes,
      maxSegments: SEGMENTS_MAX,
      statusOk: UsbifStatus.ok,
      statusNodev: UsbifStatus.noDevice,
      statusInval: UsbifStatus.invalid,
      statusStall: UsbifStatus.stall,
      statusIoerror: UsbifStatus.ioError,
      statusBabble: UsbifStatus.babble,
      statusShutdown: UsbifStatus.shutdown,
      speedNone: UsbifSpeed.none,
      speedLow: UsbifSpeed.low,
      speedFull: UsbifSpeed.full,
      speedHigh: UsbifSpeed.high,
      shortNotOk: SHORT_NOT_OK,
    };
    const { control, bulk64k, interrupt, isochronous, unlink, response, connection, ...numbers } = GOLDEN;
    assert.deepEqual(ours, numbers);
  });
});

const ANSWER = { id: 9, startFrame: 0x1f2, status: UsbifStatus.stall, actualLength: 512, errorCount: 3 };

describe('the bytes of a C program', () => {
  it('are a control request', () => {
    const request = parseRequest(words('control'), 31);
    assert.equal(request.kind, 'control');
    if (request.kind !== 'control') return;
    assert.deepEqual([...request.setup], [0x80, 6, 0, 1, 0, 0, 18, 0]);
    const { id, port, address, endpoint, input, shortNotOk, length } = request;
    assert.deepEqual([id, port, address, endpoint, input, shortNotOk, length], [7, 3, 5, 0, true, false, 18]);
    const { data } = request;
    assert.deepEqual([data.refOf(0), data.offsetOf(0), data.lengthOf(0)], [0x1234, 0x100, 18]);
  });

  it('are a bulk request of 64 KiB, whose 16-bit length is 0', () => {
    const request = parseRequest(words('bulk64k'), 31);
    assert.equal(request.kind, 'bulk');
    if (request.kind !== 'bulk') return;
    const { id, port, address, endpoint, input, shortNotOk, length } = request;
    assert.deepEqual(
      [id, port, address, endpoint, input, shortNotOk, length],
      [15, 1, 9, 2, true, true, 65_536],
    );
    assert.equal(request.data.refOf(15), 1015);
  });

  it('are an interrupt, an isochronous and an unlink request', () => {
    const interrupt = parseRequest(words('interrupt'), 31);
    assert.equal(interrupt.kind === 'interrupt' && interrupt.address, 127);
    const isochronous = parseRequest(words('isochronous'), 31);
    assert.ok(isochronous.kind === 'isochronous');
    assert.deepEqual([isochronous.port, isochronous.endpoint, isochronous.input], [31, 15, false]);
    assert.deepEqual([isochronous.packetCount, isochronous.data.count], [8, 1]);
    assert.deepEqual([isochronous.descriptors.refOf(0), isochronous.descriptors.offsetOf(0)], [6, 256]);
    assert.deepEqual(parseRequest(words('unlink'), 31), { kind: 'unlink', id: 11, unlinkId: 3 });
  });

  it('are an answer and a connection event', () => {
    assert.deepEqual(new Uint32Array(Int32Array.from(responseWords(ANSWER))), words('response'));
    assert.equal(connectionWord(511, 31, UsbifSpeed.high) >>> 0, words('connection')[0]);
  });
});
