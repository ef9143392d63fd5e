/** Options that many commands have. */
import { type Command, Option } from 'commander';
import type { XenstoreVersion } from '../sim/index.js';

/** Data instead of text. */
export const JSON_OPTION = ['--json', 'print data instead of text'] as const;
/** Nothing is changed. */
export const DRY_RUN = ['--dry-run', 'show the steps, change nothing'] as const;

/** Another sysfs. */
export function sysfsRoot(): Option {
  return new Option('--sysfs-root <dir>', 'where sysfs is (or PVUSB_SYSFS; default: /sys)');
}

/** How `--json=libxl` is passed to commander, for which an option always or never has a value, or takes the next word. */
export const JSON_LIBXL = '--json-libxl';

/** Data instead of text, or libxl's JSON. */
export function addJson(command: Command): Command {
  return command
    .option('--json', `${JSON_OPTION[1]}; --json=libxl: in the form of "xl list -l"`)
    .addOption(new Option(JSON_LIBXL).hideHelp());
}

/** The releases of Xen whose C xenstored a simulated host can have, and who has them. */
export const XENSTORE_RELEASES: Readonly<Record<XenstoreVersion, string>> = {
  '4.17': 'as in Debian 12',
  '4.20': 'as in Debian 13',
};

/** What the help says about the option that chooses one. */
export const XENSTORE_HELP = `the release of Xen whose xenstored it has: ${Object.keys(XENSTORE_RELEASES).join(' or ')} (default: 4.17)`;

/** Whether there is a simulated xenstored of a release. */
export function isXenstoreRelease(text: string): text is XenstoreVersion {
  return Object.hasOwn(XENSTORE_RELEASES, text);
}
