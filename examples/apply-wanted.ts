/**
 * Makes sure that a guest has exactly the controllers and devices listed below; run again, it finds nothing to do. With
 * --dry-run it only prints what it would do: `node examples/apply-wanted.ts u1 --dry-run`
 */
import { applyUsb, openHost, type WantedUsb } from 'pvusb';

/** What `usbctrl` and `usbdev` say in an xl.cfg file. */
const WANTED: WantedUsb = {
  controllers: [{ devid: 0, version: 2, ports: 4 }],
  devices: [
    { device: '46f4:0001:LAB0001', devid: 0, port: 1 },
    // In any free port.
    { device: '0403:6001' },
  ],
};

const [domain, option] = process.argv.slice(2);
if (domain === undefined || (option !== undefined && option !== '--dry-run')) {
  console.error('usage: apply-wanted.ts <domain> [--dry-run]');
  process.exit(2);
}

await using host = await openHost();
const { changes } = await applyUsb(host, { domain, usb: WANTED }, { dryRun: option === '--dry-run' });

if (changes.length === 0) console.log(`${domain} already has what it should have.`);
for (const change of changes) {
  const what = 'port' in change ? `${change.busid}, port ${change.port}` : `${change.ports} ports`;
  console.log(`controller ${change.devid}: ${change.change} (${what})`);
}
