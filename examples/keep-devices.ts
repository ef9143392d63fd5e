/**
 * A service that keeps devices with their guests: a guest that reboots gets its devices again, and the devices of a guest that
 * died go back to the host. Prints a line of JSON per event, until Ctrl-C or SIGTERM: `node examples/keep-devices.ts`
 */
import { openHost, type WatchEvent, watchDomains } from 'pvusb';

const stopped = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopped.abort());

/** Events that need someone's attention. */
const ALARMS: ReadonlySet<WatchEvent['event']> = new Set(['not-returned', 'trouble']);

await using host = await openHost();
await watchDomains(host, {
  signal: stopped.signal,
  onEvent(event) {
    const line = JSON.stringify({ at: new Date().toISOString(), ...event });
    if (ALARMS.has(event.event)) console.error(line);
    else console.log(line);
  },
});
