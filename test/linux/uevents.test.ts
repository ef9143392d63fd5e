/** The kernel's events, as they come through a real netlink socket. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { openUevents } from '../../src/linux/uevents.js';
import { parseUevent } from '../../src/sysfs/uevent.js';
import { skipFor } from '../support/needs.js';

/** A program that says what the kernel would say, on the same socket. */
const SAY = `
import socket, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
s.bind((int(sys.argv[1]), 0))
for text in sys.argv[2:]:
    s.sendto(text.replace('|', '\\0').encode(), (0, 1))
`;

/** Whose messages they are: those of other programs, the same test elsewhere among them, are heard too. */
const OUR_PORT = 0x4000_0000 + process.pid;
const isOurs = (portId: number): boolean => portId === OUR_PORT;

const PLUG =
  'add@/devices/pci0000:00/usb4/4-1|ACTION=add|DEVPATH=/devices/pci0000:00/usb4/4-1|SUBSYSTEM=usb|DEVTYPE=usb_device|';
const BIND =
  'bind@/devices/pci0000:00/usb4/4-1/4-1:1.0|ACTION=bind|DEVPATH=/devices/pci0000:00/usb4/4-1/4-1:1.0|SUBSYSTEM=usb|';
const OTHER = 'add@/devices/virtual/net/tap0|ACTION=add|DEVPATH=/devices/virtual/net/tap0|SUBSYSTEM=net|';

function say(...texts: readonly string[]): void {
  const { status, stderr } = spawnSync('python3', ['-c', SAY, `${OUR_PORT}`, ...texts], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/** What is heard until something is heard of the last event. */
async function heard(t: TestContext, isSender?: (portId: number) => boolean) {
  const events: string[] = [];
  let wake = (): void => undefined;
  const socket = await openUevents(({ received }) => {
    for (const bytes of received) {
      const event = parseUevent(bytes);
      if (event) events.push(`${event.action} ${event.name}`);
    }
    wake();
  }, isSender);
  assert.ok(socket, 'there is such a socket');
  t.after(() => socket.close());
  return {
    events,
    async until(event: string): Promise<void> {
      while (!events.includes(event)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

const skip = skipFor(
  "the kernel's events",
  process.getuid?.() === 0 ? undefined : 'only root may speak on that socket',
);

describe("the kernel's events", { skip }, () => {
  it('are heard, those about USB alone', async (t) => {
    const { events, until } = await heard(t, isOurs);
    say(PLUG, OTHER, BIND);
    await until('bind 4-1:1.0');
    assert.deepEqual(events, ['add 4-1', 'bind 4-1:1.0']);
  });

  it('are believed only if the kernel has sent them', async (t) => {
    const stranger = await heard(t);
    const all = await heard(t, isOurs);
    say(PLUG, BIND);
    await all.until('bind 4-1:1.0');
    assert.deepEqual(stranger.events, []);
  });
});
