/** Options that many commands have. */
import { type Command, Option } from 'commander';

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
