/** Completion for bash, zsh and fish, with the domains and devices that are there. */
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { CONTROLLER_TRAITS, type Inventory, livingGuests, observe } from '../pvusb/index.js';
import { describeDevice } from '../sysfs/index.js';
import { withHost } from './context.js';
import { UsageError } from './report.js';
import type { Terminal } from './terminal.js';
import { describeHolder } from './wording.js';

/** A word to offer and what it stands for. */
interface Offer {
  readonly value: string;
  readonly description: string;
}

const TYPES: readonly Offer[] = [
  { value: 'auto', description: 'as libxl chooses' },
  ...CONTROLLER_TRAITS.map(({ type, summary }) => ({ value: type, description: summary })),
];

type Complete = (value: string, description: string) => void;

/** Longest time that a completion waits for the host. */
const WITHIN_MS = 1500;

const PLAIN_NAME = /^(?!\d+$)[\w.+][\w.+-]*$/;

const SHELLS = ['bash', 'zsh', 'fish'];

/** Runs `completion <shell>` (prints its script) or `complete -- <words>` (prints what may come next). */
export async function runCompletion(
  terminal: Terminal,
  program: Command,
  argv: readonly string[],
): Promise<number> {
  if (argv[0] === 'completion' && argv.some((word) => word === '-h' || word === '--help')) {
    program.commands.find((command) => command.name() === 'completion')?.outputHelp();
    return 0;
  }
  if (argv[0] === 'completion' && !SHELLS.includes(argv[1] ?? '')) {
    throw new UsageError(`completion takes the name of a shell: ${SHELLS.join(', ')}.`);
  }
  const commands = program.commands as Command[];
  commands.splice(
    commands.findIndex((command) => command.name() === 'completion'),
    1,
  );
  for (const command of commands) command.description(command.summary() || command.description());
  const completion = tab(program, { completionCommandName: 'completion' });
  const words = argv.slice(1);
  if (words[0] === '--') {
    const offers = await observeOffers(terminal);
    for (const [name, command] of completion.commands) {
      for (const argument of command.arguments.values()) {
        const wanted = offersFor(name, argument.name, offers);
        if (wanted) argument.handler = (complete: Complete) => offer(complete, wanted);
      }
      const option = command.options.get('domain');
      if (option) option.handler = (complete: Complete) => offer(complete, offers.domains);
      const type = command.options.get('type');
      if (type) type.handler = (complete: Complete) => offer(complete, TYPES);
    }
    for (const name of ['usbctrl-attach', 'usbctrl-detach', 'usbdev-attach', 'usbdev-detach', 'usb-list']) {
      completion.commands
        .get(name)
        ?.argument('domain', (complete: Complete) => offer(complete, offers.domains));
    }
    completion.parse([...words.slice(1)]);
  } else completion.setup('pvusb', 'pvusb', words[0]!);
  return 0;
}

function offer(complete: Complete, offers: readonly Offer[]): void {
  for (const { value, description } of offers) complete(value, description);
}

interface Offers {
  readonly domains: readonly Offer[];
  readonly free: readonly Offer[];
  readonly lent: readonly Offer[];
}

function offersFor(command: string, argument: string, offers: Offers): readonly Offer[] | undefined {
  if (argument === 'domain') return offers.domains;
  if (argument === 'device') return command === 'detach' ? offers.lent : offers.free;
  return undefined;
}

/** A shell waits for this: a host that cannot be asked offers nothing, and says nothing. */
async function observeOffers(terminal: Terminal): Promise<Offers> {
  const signal = AbortSignal.timeout(WITHIN_MS);
  try {
    return await withHost({ ...terminal, signal }, {}, async (host) => {
      return describeOffers(await observe(host, { signal }));
    });
  } catch {
    return { domains: [], free: [], lent: [] };
  }
}

function describeOffers(inventory: Inventory): Offers {
  const lentIds = new Set(
    inventory.controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? [])),
  );
  const devices = inventory.devices.filter(({ kind }) => kind === 'device');
  return {
    domains: livingGuests(inventory).map(({ domid, name, type }) => ({
      // A name that a shell would take for something else, or pvusb for a number, is no use on a command line.
      value: name !== undefined && PLAIN_NAME.test(name) ? name : `${domid}`,
      description: `domain ${domid}, ${type ?? 'guest'}`,
    })),
    free: devices
      .filter(({ busid }) => !lentIds.has(busid))
      .map((device) => ({ value: device.busid, description: describeDevice(device) })),
    lent: [...lentIds].map((busid) => {
      const device = devices.find((candidate) => candidate.busid === busid);
      const description = device
        ? `${describeDevice(device)} in ${describeHolder(inventory, device)}`
        : 'missing';
      return { value: busid, description };
    }),
  };
}
