/** Random USB settings, and the many ways in which a file can say the same. */
import type { ControllerSetting, DeviceSetting, UsbSettings } from '../../src/xlcfg/index.js';
import type { Dice } from '../fuzz/fuzz.js';

/** What a controller can be: [type, version, fewest ports, most ports, default ports]. */
const KINDS = [
  [undefined, undefined, 1, 31, 8],
  [undefined, 1, 1, 31, 8],
  [undefined, 3, 1, 15, 8],
  ['pv', undefined, 1, 31, 8],
  ['pv', 1, 1, 31, 8],
  ['qusb', 2, 1, 31, 8],
  ['devicemodel', 1, 2, 2, 2],
  ['devicemodel', undefined, 6, 6, 6],
  ['devicemodel', 3, 1, 15, 8],
] as const;

/** Settings that contradict nothing. */
export function someSettings(dice: Dice): UsbSettings {
  const controllers: ControllerSetting[] = [];
  const free: DeviceSetting['port'][][] = [];
  for (let count = dice.int(5); count > 0; count--) {
    const [type, version, min, max, usual] = dice.pick(KINDS);
    const ports = dice.chance(0.5) ? min + dice.int(max - min + 1) : undefined;
    controllers.push({ type, version, ports });
    free.push(Array.from({ length: ports ?? usual }, (_, at) => at + 1));
  }
  const devices: DeviceSetting[] = [];
  const taken = new Set<string>();
  for (let count = dice.int(6); count > 0; count--) {
    const [hostbus, hostaddr] = [1 + dice.int(255), 1 + dice.int(127)];
    if (taken.has(`${hostbus}-${hostaddr}`)) continue;
    taken.add(`${hostbus}-${hostaddr}`);
    const controller = controllers.length > 0 && dice.chance(0.7) ? dice.int(controllers.length) : undefined;
    const ports = controller === undefined ? [] : free[controller]!;
    const port =
      ports.length > 0 && dice.chance(0.7) ? ports.splice(dice.int(ports.length), 1)[0] : undefined;
    devices.push({ hostbus, hostaddr, controller, port });
  }
  return { controllers, devices };
}

const OTHERS = [
  'name = "x"',
  'memory=0x100',
  'extra = \'usbctrl = [ "ports=1" ]\'',
  'usb = 1',
  'usbdevice = [ "tablet" ]',
  'vnuma = [ ["pnode=0",\n"size=1" ], [] ]',
  'extra2 = "# \\" \\d"',
  'disk += [ "a" ]; disk += [ "b" ]',
  '# usbdev = [ "hostbus=1" ]',
  '',
  ';',
  '\t',
];

/** A file with these settings among others, written in some way. */
export function written({ controllers, devices }: UsbSettings, dice: Dice): string {
  const statements = dice.chance(0.5)
    ? [...list('usbctrl', controllers, dice), ...list('usbdev', devices, dice)]
    : [...list('usbdev', devices, dice), ...list('usbctrl', controllers, dice)];
  const all = statements.flatMap((statement) => [...others(dice), statement]);
  const text = [...all, ...others(dice)].map((statement) => statement + end(statement, dice)).join('');
  // The last end is not needed, and neither is the newline after a comment.
  const cut = dice.chance(0.3) ? text.replace(/[\n;]$/, '') : text;
  return dice.chance(0.2) ? cut.replaceAll('\n', '\r\n') : cut;
}

function others(dice: Dice): string[] {
  return Array.from({ length: dice.int(3) }, () => dice.pick(OTHERS));
}

/** The end of a statement; one that ends with a comment needs a newline. */
function end(statement: string, dice: Dice): string {
  if (statement.startsWith('#')) return '\n';
  return dice.pick(['\n', '\n', ';', ' ;', '\n\n', ' # said "why"\n', ';# x\n']);
}

/** `name = [...]`, or that in parts with `+=`, perhaps after a value that no longer counts. */
function list(name: string, items: readonly (ControllerSetting | DeviceSetting)[], dice: Dice): string[] {
  const before = dice.chance(0.2)
    ? [`${name} = ${dice.pick(['5', '"x"', '[]', '[ "no=1" ]', '[[1]]'])}`]
    : [];
  if (items.length === 0 && before.length === 0 && dice.chance(0.5)) return [];
  const cut = dice.chance(0.3) ? dice.int(items.length + 1) : items.length;
  const first = before.length > 0 ? '=' : dice.pick(['=', '+=']);
  const parts = [part(name, first, items.slice(0, cut), dice)];
  if (cut < items.length || dice.chance(0.1)) parts.push(part(name, '+=', items.slice(cut), dice));
  return [...before, ...parts];
}

function part(name: string, operator: string, items: readonly object[], dice: Dice): string {
  const blank = (): string => dice.pick(['', '', ' ', '\t', '  ']);
  const gap = (): string => blank() + dice.pick(['', '', '', '\n', '\n\n', '# a ] "comment"\n']) + blank();
  const inner = items.map((item) => `${gap()}${spec(item, dice)}${gap()}`).join(',');
  const comma = items.length > 0 && dice.chance(0.3) ? `,${gap()}` : gap();
  return `${name}${blank()}${operator}${blank()}[${inner}${comma}]${blank()}`;
}

function spec(item: object, dice: Dice): string {
  const pairs = Object.entries(item)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${dice.pick(['', '', ' ', '   '])}${key}=${anyCase(value, dice)}`);
  if (dice.chance(0.1)) pairs.push('hostbus' in item ? 'type=hostdev' : '');
  if (pairs.length > 1 && dice.chance(0.5)) pairs.push(pairs.shift()!);
  if ('type' in item && item.type === undefined && dice.chance(0.2)) pairs.push('type=auto');
  const quote = dice.pick(['"', "'"]);
  return `${quote}${pairs.join(dice.pick([',', ',', ',,']))}${quote}`;
}

function anyCase(value: string | number, dice: Dice): string {
  if (typeof value === 'string') return dice.chance(0.2) ? value.toUpperCase() : value;
  if (dice.chance(0.2)) return `0x${value.toString(16)}`;
  return dice.chance(0.1) ? ` ${value}\t` : `${value}`;
}
