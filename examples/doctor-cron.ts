/**
 * A cron job that fixes what was left half done: it prints nothing when nothing is wrong, and exits with 0 when nothing is wrong
 * any more, otherwise with 1: `node examples/doctor-cron.ts`
 */
import { describeFinding, doctor, type Finding, openHost, severityOf } from 'pvusb';

await using host = await openHost();
const diagnosis = await doctor(host, { fix: true });
const { findings, remaining, failures } = diagnosis;

/** The other findings are notes: nothing that anyone has to act on. */
const isWrong = (finding: Finding): boolean => severityOf(finding) === 'wrong';

for (const finding of findings.filter(isWrong)) console.log(`Found: ${describeFinding(finding, diagnosis)}`);
for (const failure of failures) console.error(`Failed: ${failure}`);
const left = remaining.filter(isWrong);
for (const finding of left) console.error(`Still wrong: ${describeFinding(finding, diagnosis)}`);
process.exitCode = left.length === 0 ? 0 : 1;
