/**
 * Lends a device unless the host itself needs it. A plan is plain data, so it can be inspected before it is executed.
 * (`attachDevice` does the rest of this, and retries when another program interferes.) `node examples/inspect-plan.ts u1 3-2`
 */
import { execute, findDevice, findDomain, formatPlan, observe, openHost, planAttach } from 'pvusb';

/** Drivers of the host's keyboards, mice and network. */
const KEPT: ReadonlySet<string> = new Set(['usbhid', 'cdc_ether', 'r8152', 'ax88179_178a']);

const [domain, device] = process.argv.slice(2);
if (domain === undefined || device === undefined) {
  console.error('usage: inspect-plan.ts <domain> <device>');
  process.exit(2);
}

await using host = await openHost();
const inventory = await observe(host);
const { plan } = planAttach(inventory, findDomain(inventory, domain), findDevice(inventory, device));

const losing = plan.steps.flatMap(({ act }) => (act.do === 'take' ? act.driver : []));
const kept = losing.filter((driver) => KEPT.has(driver));
if (kept.length > 0) {
  console.error(`${device} stays with the host: ${kept.join(', ')} uses it.`);
  process.exitCode = 1;
} else {
  console.log(formatPlan(plan, { undo: true }));
  await execute(host, plan);
  console.log(`Done: ${plan.steps.length} steps.`);
}
