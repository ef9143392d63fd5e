/**
 * Keeps devices with their guests: a guest that reboots gets its devices again, and what a dead guest leaves goes back to the
 * host. A line of JSON for each event, for a log. Runs until Ctrl-C or SIGTERM, as a service does:
 * `node examples/keep-devices.ts`
 */
import { openHost, type WatchEvent, watchDomains } from 'pvusb';

const stopped = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopped.abort());

/** Those that somebody has to know of. */
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
