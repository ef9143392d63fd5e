/**
 * Mends what is half done or left over. For cron: it says nothing when nothing is wrong, and exits with 0 when nothing is
 * wrong any more, else with 1: `node examples/doctor-cron.ts`
 */
import { describeFinding, doctor, openHost } from 'pvusb';

await using host = await openHost();
const { findings, remaining, failures } = await doctor(host, { fix: true });

for (const finding of findings) console.log(`Found: ${describeFinding(finding)}`);
for (const failure of failures) console.error(`Failed: ${failure}`);
for (const finding of remaining) console.error(`Still wrong: ${describeFinding(finding)}`);
process.exitCode = remaining.length === 0 ? 0 : 1;
