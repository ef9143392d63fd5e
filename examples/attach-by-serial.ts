/**
 * Lends a stick to a guest by its serial number, whatever port it is plugged into. Prints the steps beforehand, then each one
 * as it is taken; Ctrl-C undoes what was done: `node examples/attach-by-serial.ts u1 46f4:0001:LAB0001`
 */
import { attachDevice, formatPlan, isPvusbError, openHost } from 'pvusb';

const [domain, device] = process.argv.slice(2);
if (domain === undefined || device === undefined) {
  console.error('usage: attach-by-serial.ts <domain> <vendor>:<product>:<serial>');
  process.exit(2);
}
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
const { signal } = interrupted;

try {
  await using host = await openHost({ signal });

  const { plan } = await attachDevice(host, { domain, device }, { signal, dryRun: true });
  console.log(formatPlan(plan));

  const { result } = await attachDevice(
    host,
    { domain, device },
    {
      signal,
      onStep({ step, phase }) {
        if (phase === 'begin') console.log(`... ${step.why}`);
        if (phase === 'undo') console.log(`... undoing: ${step.why}`);
      },
    },
  );
  const { busid, devid, port, state } = result;
  console.log(`${busid} is in port ${port} of controller ${devid}: ${state}`);
} catch (error) {
  if (!isPvusbError(error)) throw error;
  console.error(`${error.message} ${error.remedy} (${error.code})`);
  process.exitCode = error.exitStatus;
}
