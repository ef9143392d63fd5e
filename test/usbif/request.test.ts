import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BackRing,
  parsePackets,
  parseRequest,
  REQUEST_WORDS,
  SEGMENTS_MAX,
  URB_RING,
} from '../../src/usbif/index.js';

const anyRequest = fc.uint32Array({ minLength: REQUEST_WORDS, maxLength: REQUEST_WORDS }).chain((words) =>
  // Mostly plausible ones: random words alone would be refused for their segments.
  fc
    .record({ count: fc.integer({ min: 0, max: 18 }), length: fc.integer({ min: 0, max: 5000 }) })
    .map((given) => {
      const made = words.slice();
      made[0] = (made[0]! & 0xffff) | (given.count << 16);
      for (let at = 6; at < REQUEST_WORDS; at += 2) made[at] = given.length << 16;
      made[2] = (made[2]! & 0xffff) | ((given.count * given.length) << 16);
      made[4] = made[4]! & 0x0003_00ff;
      return made;
    }),
);

describe('a request of a guest', () => {
  it('is refused, or names nothing outside its pages, its buffer and its ports, whatever its words', () => {
    fc.assert(
      fc.property(anyRequest, fc.integer({ min: 1, max: 31 }), (words, ports) => {
        const request = parseRequest(words, ports);
        assert.equal(request.id, words[0]! & 0xffff);
        if (request.kind === 'refused' || request.kind === 'unlink') return;
        assert.ok(request.port >= 1 && request.port <= ports);
        const lists = [request.data, ...(request.kind === 'isochronous' ? [request.descriptors] : [])];
        assert.ok(lists.reduce((sum, { count }) => sum + count, 0) <= SEGMENTS_MAX);
        for (const list of lists) {
          for (let at = 0; at < list.count; at++) {
            assert.ok(list.lengthOf(at) > 0 && list.offsetOf(at) + list.lengthOf(at) <= 4096);
          }
        }
        assert.equal(request.length & 0xffff, words[2]! >>> 16);
        if (request.kind === 'control') {
          assert.ok((request.setup[6]! | (request.setup[7]! << 8)) <= request.length);
        }
        if (request.kind === 'isochronous') assert.ok(request.descriptors.length >= 16 * request.packetCount);
      }),
    );
  });

  it('has each byte of a range in one piece of a page, in order', () => {
    fc.assert(
      fc.property(anyRequest, fc.nat(70_000), fc.nat(70_000), (words, from, length) => {
        const request = parseRequest(words, 31);
        if (request.kind !== 'bulk') return;
        let done = 0;
        request.data.forRange(from, length, (_, offset, piece, before) => {
          assert.equal(before, done);
          assert.ok(piece > 0 && offset + piece <= 4096);
          done += piece;
        });
        assert.equal(done, Math.max(0, Math.min(length, request.length - from)));
      }),
    );
  });
});

describe('descriptors of packets', () => {
  it('are refused unless each lies in the buffer, behind the one before', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3000), fc.nat(300)), { maxLength: 20 }), (list) => {
        const bytes = Buffer.alloc(list.length * 16);
        list.forEach(([offset, length], at) => {
          bytes.writeUInt32LE(offset, at * 16);
          bytes.writeUInt32LE(length, at * 16 + 4);
        });
        const isRight = list.every(
          ([offset, length], at) =>
            offset + length <= 2000 && (at === 0 || offset >= list[at - 1]![0] + list[at - 1]![1]),
        );
        const parsed = parsePackets(bytes, list.length, 2000);
        assert.equal(parsed !== undefined, isRight);
        assert.equal(parsePackets(bytes, list.length + 1, 2000), undefined);
      }),
    );
  });

  it('cannot reach around the end of 32 bits', () => {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32LE(0xffff_ff00, 0);
    bytes.writeUInt32LE(0x200, 4);
    assert.equal(parsePackets(bytes, 1, 4096), undefined);
  });
});

describe("the backend's end of a ring", () => {
  it('takes each request once and answers in order, across the end of the ring and of 32 bits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -40, max: 40 }),
        fc.array(fc.nat(16), { maxLength: 60 }),
        (start, steps) => {
          const page = new Uint8Array(4096);
          const view = new Uint32Array(page.buffer);
          view[0] = start >>> 0;
          view[2] = start >>> 0;
          const ring = new BackRing(page, URB_RING, start >>> 0);
          let [sent, taken, answered] = [0, 0, 0];
          for (const step of steps) {
            for (let more = step; more > 0 && sent - answered < 16; more--, sent++) {
              view[16 + ((start + sent) & 15) * 37] = sent;
            }
            view[0] = (start + sent) >>> 0;
            assert.equal(ring.waiting(), sent - taken);
            for (; taken < sent; taken++) assert.equal(ring.take()[0], taken);
            assert.equal(ring.rearm(), false);
            assert.equal(view[1], (start + sent + 1) >>> 0);
            view[3] = (start + answered + 1) >>> 0;
            const isNews = step % 3 !== 0 && answered < taken;
            for (let more = step % 3; more > 0 && answered < taken; more--)
              ring.respond([answered++, 0, 0, 0]);
            assert.equal(ring.push(), isNews, 'a notification for what the guest waits for, and only then');
            assert.equal(view[2], (start + answered) >>> 0);
          }
        },
      ),
    );
  });

  it('sees an index that jumps or goes back', () => {
    const page = new Uint8Array(4096);
    const view = new Uint32Array(page.buffer);
    const ring = new BackRing(page, URB_RING);
    for (const producer of [17, 0xffff_ffff, 0x8000_0000]) {
      view[0] = producer;
      assert.equal(ring.waiting(), undefined, String(producer));
    }
    view[0] = 16;
    assert.equal(ring.waiting(), 16);
    ring.take();
    ring.take();
    view[0] = 1;
    assert.equal(ring.waiting(), undefined);
  });
});
