/** What the help says about the types of controllers, made from their records. */
import { PORT_RANGES, PORTS_MAX } from '../libxl/index.js';
import { CONTROLLER_TRAITS } from '../pvusb/index.js';

const TYPES = CONTROLLER_TRAITS.flatMap(({ type, summary, needs }) => [
  `  ${type.padEnd(11)}  ${summary},`,
  `               ${needs};`,
  `               ${describePorts(PORT_RANGES[type])}`,
]);

/** The description of `controller add`. */
export const ADD_DESCRIPTION = `Adds a USB controller to a domain. Its type determines what serves it:
${TYPES.join('\n')}
  auto         what libxl would choose: devicemodel for an HVM guest, otherwise
               pv if usbback is loaded or "pvusb backend" is running,
               otherwise qusb`;

/** `auto, pv, qusb, devicemodel`. */
export const TYPE_NAMES = ['auto', ...CONTROLLER_TRAITS.map(({ type }) => type)].join(', ');

/** What `--ports` says. */
export const PORTS_HELP = `number of ports, 1 to ${PORTS_MAX}; default: the usual number for its type`;

/** `USB 1 has 2 ports, USB 2 has 6, USB 3 has 1 to 15`; versions with the same ports together. */
function describePorts(ranges: (typeof PORT_RANGES)[keyof typeof PORT_RANGES]): string {
  const byPorts = new Map<string, string[]>();
  for (const [version, range] of Object.entries(ranges)) {
    if (!range) continue;
    const { min, max, usual } = range;
    const ports = min === max ? `${min} ports` : `${min} to ${max} ports, usually ${usual}`;
    byPorts.set(ports, [...(byPorts.get(ports) ?? []), version]);
  }
  return [...byPorts].map(([ports, versions]) => `USB ${versions.join(' or ')}: ${ports}`).join(', ');
}
