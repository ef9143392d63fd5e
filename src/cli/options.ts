/** Options that many commands have. */
import { Option } from 'commander';

/** Data instead of text. */
export const JSON_OPTION = ['--json', 'print data instead of text'] as const;
/** Nothing is changed. */
export const DRY_RUN = ['--dry-run', 'show the steps, change nothing'] as const;

/** Another sysfs. */
export function sysfsRoot(): Option {
  return new Option('--sysfs-root <dir>', 'where sysfs is (or PVUSB_SYSFS; /sys unless given)');
}
