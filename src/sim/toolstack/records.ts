/** What libxl and xen-init-dom0 write into xenstore, as recorded on Xen 4.17: nodes with values and permissions. */
import { parsePermissions } from '../../xenstore/permissions.js';
import type { ActorStore } from '../actors/actor.js';
import { simType } from '../world/types.js';
import type { WorldController, WorldDomain, WorldSavedDrivers } from '../world/world.js';

/** One node: path, value, permissions as `n0,r1`. */
export type Node = readonly [path: string, value: string, permissions: string];

/** Writes nodes, parents before children. */
export async function writeNodes(store: ActorStore, nodes: Iterable<Node>): Promise<void> {
  for (const [path, value, permissions] of nodes) {
    // A parent that others also use is left alone, and nobody who watches it gets an event.
    if (value === '' && (await store.read(path)) !== undefined) continue;
    if (value === '') await store.mkdir(path);
    else await store.write(path, value);
    await store.setPermissions(path, parsePermissions(permissions)!);
  }
}

/** Writes nodes so that no other actor sees only some of them: libxl does it in a transaction. */
export async function writeTogether(store: ActorStore, nodes: Iterable<Node>): Promise<void> {
  const writes: Promise<void>[] = [];
  // Requests of one view are carried out in order, and before those that their events cause.
  for (const [path, value, permissions] of nodes) {
    writes.push(value === '' ? store.mkdir(path) : store.write(path, value));
    writes.push(store.setPermissions(path, parsePermissions(permissions)!));
  }
  await Promise.all(writes);
}

/** Domain 0 as xen-init-dom0 leaves it. */
export function dom0Nodes({
  name = 'Domain-0',
  uuid,
  type,
  lacks = [],
  announced,
}: Partial<WorldDomain> = {}): Node[] {
  const dom0 = '/local/domain/0';
  const model = `${dom0}/device-model/0`;
  return [
    ['/local', '', 'n0'],
    ['/local/domain', '', 'n0'],
    [dom0, '', 'n0'],
    [`${dom0}/control`, '', 'n0'],
    [`${dom0}/control/feature-poweroff`, '1', 'n0'],
    [`${dom0}/control/feature-reboot`, '1', 'n0'],
    [`${dom0}/control/feature-suspend`, '1', 'n0'],
    [`${dom0}/domid`, '0', 'n0'],
    ...(lacks.includes('name') ? [] : [[`${dom0}/name`, name, 'n0'] satisfies Node]),
    ...(uuid === undefined ? [] : [[`${dom0}/vm`, `/vm/${uuid}`, 'n0'] satisfies Node]),
    ...(type === undefined ? [] : [['/libxl/0/type', type, 'n0'] satisfies Node]),
    ...(announced ? [[model, '', 'n0'] satisfies Node] : []),
    ...(announced?.running ? [[`${model}/state`, 'running', 'n0'] satisfies Node] : []),
    ...(announced?.qusb ? [[`${model}/backends/qusb`, '', 'n0'] satisfies Node] : []),
    ['/local/pool', '', 'n0'],
    ['/local/pool/0', '', 'n0'],
    ['/local/pool/0/name', 'Pool-0', 'n0'],
    ['/tool', '', 'n0'],
    ['/tool/xenstored', '', 'n0'],
  ];
}

/** A domain's `/vm/<uuid>`. */
function uuidOf(domain: WorldDomain): string {
  return domain.uuid ?? `00000000-0000-4000-8000-${domain.domid.toString(16).padStart(12, '0')}`;
}

/** A domain's nodes; only the toolstack's record if it is not alive. */
export function domainNodes(domain: WorldDomain): Node[] {
  const { domid, lacks = [] } = domain;
  const record: Node[] = [
    ['/libxl', '', 'n0'],
    [`/libxl/${domid}`, '', 'n0'],
    [`/libxl/${domid}/device`, '', 'n0'],
    [`/libxl/${domid}/dm-version`, 'qemu_xen', 'n0'],
    ...(lacks.includes('type') ? [] : [[`/libxl/${domid}/type`, domain.type, 'n0'] satisfies Node]),
  ];
  if (!domain.alive) return record;
  const vm = `/vm/${uuidOf(domain)}`;
  const shared = `n0,r${domid}`;
  const own = `n${domid}`;
  const at = (path: string, value: string, permissions: string): Node => [
    `/local/domain/${domid}${path}`,
    value,
    permissions,
  ];
  return [
    ...record,
    ['/vm', '', 'n0'],
    [vm, '', shared],
    [`${vm}/name`, domain.name, shared],
    [`${vm}/uuid`, uuidOf(domain), shared],
    [`${vm}/image`, '', shared],
    [`${vm}/image/ostype`, domain.type === 'hvm' ? 'hvm' : 'linux', shared],
    at('', '', shared),
    ...['attr', 'data', 'drivers', 'error', 'feature'].map((name) => at(`/${name}`, '', own)),
    at('/control', '', shared),
    ...['poweroff', 'reboot', 'suspend'].map((name) => at(`/control/feature-${name}`, '1', own)),
    at('/control/platform-feature-multiprocessor-suspend', '1', shared),
    at('/control/platform-feature-xs_reset_watches', '1', shared),
    at('/control/shutdown', '', own),
    at('/control/sysrq', '', own),
    at('/cpu', '', shared),
    at('/cpu/0', '', shared),
    at('/cpu/0/availability', 'online', shared),
    at('/device', '', shared),
    at('/device/suspend', '', shared),
    at('/device/suspend/event-channel', '', own),
    at('/domid', String(domid), shared),
    at('/memory', '', shared),
    at('/memory/static-max', '163840', shared),
    at('/memory/target', '163840', shared),
    at('/memory/videoram', '0', shared),
    ...(lacks.includes('name') ? [] : [at('/name', domain.name, shared)]),
    at('/store', '', shared),
    at('/store/port', '1', shared),
    at('/store/ring-ref', '651265', shared),
    ...(lacks.includes('uuid') ? [] : [at('/vm', vm, shared)]),
  ];
}

/** What a QEMU and the toolstack that started it say about it, except its state. HVM guests' have two backends fewer. */
export function deviceModelNodes(domain: Pick<WorldDomain, 'domid' | 'type'>, pid: number): Node[] {
  const { domid, type } = domain;
  const model = `/local/domain/0/device-model/${domid}`;
  const image = `/local/domain/${domid}/image`;
  const backends = ['console', 'vkbd', '9pfs', 'qusb', ...(type === 'hvm' ? [] : ['vfb', 'qnic'])];
  return [
    ['/local/domain/0/device-model', '', 'n0'],
    [model, '', 'n0'],
    [image, '', `n0,r${domid}`],
    [`${image}/device-model-pid`, String(pid), `n0,r${domid}`],
    [`${model}/backends`, '', 'n0'],
    ...backends.map((kind): Node => [`${model}/backends/${kind}`, '', `n0,n${domid}`]),
  ];
}

/** True when a QEMU serves the domain: an HVM guest has one unless its world says otherwise. */
export function hasDeviceModel(domain: Pick<WorldDomain, 'type' | 'deviceModel'>): boolean {
  return domain.deviceModel ?? domain.type === 'hvm';
}

/** A controller's nodes: the record, and the frontend's and backend's directories if it has them. */
export function controllerNodes(controller: WorldController): Node[] {
  const { domid, devid, type, backendDomid } = controller;
  const kind = simType(type)?.backend;
  const usual = {
    backend: `/local/domain/${backendDomid}/backend/${kind ?? 'vusb'}/${domid}/${devid}`,
    frontend: `/local/domain/${domid}/device/vusb/${devid}`,
  };
  const { backend = usual.backend, frontend = usual.frontend } = controller;
  const inXenstore = kind !== undefined;
  const record = `/libxl/${domid}/device/vusb/${devid}`;
  const keys = backendKeys(controller);
  const nodes: Node[] = [
    [`/libxl/${domid}/device/vusb`, '', 'n0'],
    [record, '', 'n0'],
  ];
  if (inXenstore || controller.backend !== undefined) nodes.push([`${record}/backend`, backend, 'n0']);
  if (inXenstore || controller.frontend !== undefined) nodes.push([`${record}/frontend`, frontend, 'n0']);
  if (inXenstore) {
    // The record's copy shows the moment of creation: state 1, no device in a port.
    for (const [key, value] of keys) {
      const stray = key.startsWith('port/') && Number(key.slice(5)) > controller.portCount;
      if (!stray) nodes.push([`${record}/${key}`, creationValue(key, value), 'n0']);
    }
  } else {
    const live = new Set(['type', 'usb-ver', 'num-ports']);
    for (const [key, value] of keys) {
      if (live.has(key) || key.startsWith('port')) nodes.push([`${record}/${key}`, value, 'n0']);
    }
  }
  if (inXenstore && controller.backendState !== undefined && backend === usual.backend) {
    nodes.push(...backendNodes(controller, backend, frontend, keys));
  }
  if (inXenstore && controller.frontendState !== undefined) nodes.push(...frontendNodes(controller, backend));
  return nodes;
}

function creationValue(key: string, value: string): string {
  if (key === 'state' || key === 'online') return '1';
  return key.startsWith('port') ? '' : value;
}

function backendKeys(controller: WorldController): [key: string, value: string][] {
  const { portCount, ports } = controller;
  const numbers = [
    ...new Set([...Array.from({ length: portCount }, (_, index) => index + 1), ...ports.keys()]),
  ];
  return [
    ['frontend-id', String(controller.domid)],
    ['online', controller.online ? '1' : '0'],
    ['state', String(controller.backendState ?? 1)],
    ['type', controller.type],
    ['usb-ver', String(controller.version)],
    ['num-ports', String(portCount)],
    ['port', ''],
    ...numbers.map((port): [string, string] => [`port/${port}`, ports.get(port) ?? '']),
  ];
}

function backendNodes(
  controller: WorldController,
  backend: string,
  frontend: string,
  keys: readonly (readonly [string, string])[],
): Node[] {
  const shared = `n${controller.backendDomid},r${controller.domid}`;
  const owner = `n${controller.backendDomid}`;
  const parents = backend.split('/').slice(0, -2);
  const nodes: Node[] = [
    // backend, backend/vusb and backend/vusb/D belong only to the backend's domain.
    [parents.slice(0, 5).join('/'), '', owner],
    [parents.join('/'), '', owner],
    [`${parents.join('/')}/${controller.domid}`, '', owner],
    [backend, '', shared],
    [`${backend}/frontend`, frontend, shared],
    ...keys.map(([key, value]): Node => [`${backend}/${key}`, value, shared]),
  ];
  // QEMU does this, before it waits for the frontend.
  if (simType(controller.type)?.startsQemu && Number(controller.backendState) > 1)
    nodes.push([`${backend}/hotplug-status`, 'connected', shared]);
  return nodes;
}

function frontendNodes(controller: WorldController, backend: string): Node[] {
  const { domid, devid } = controller;
  const directory = `/local/domain/${domid}/device/vusb/${devid}`;
  const own = `n${domid},r${controller.backendDomid}`;
  const written: [string, number | undefined][] = [
    ['urb-ring-ref', controller.urbRingRef],
    ['conn-ring-ref', controller.connRingRef],
    ['event-channel', controller.eventChannel],
    ['state', controller.frontendState],
  ];
  return [
    [`/local/domain/${domid}/device/vusb`, '', `n0,r${domid}`],
    [directory, '', own],
    [`${directory}/backend`, backend, own],
    [`${directory}/backend-id`, String(controller.backendDomid), own],
    ...written.flatMap(([key, value]): Node[] =>
      value === undefined ? [] : [[`${directory}/${key}`, String(value), own]],
    ),
  ];
}

/** The path of a saved driver: in keys a busid's `.` is `_` and an interface's `:` is `@`. */
export function savedDriverPath(busid: string, intf: string): string {
  return `/libxl/usbback/${encoded(busid)}/${encoded(intf)}/driver_path`;
}

function encoded(name: string): string {
  return name.replaceAll('.', '_').replaceAll(':', '@');
}

/** The nodes of a device's saved drivers. */
export function savedDriverNodes({ busid, identity, origin, drivers }: WorldSavedDrivers): Node[] {
  const folder = `/libxl/usbback/${encoded(busid)}`;
  return [
    ['/libxl', '', 'n0'],
    ['/libxl/usbback', '', 'n0'],
    [folder, '', 'n0'],
    ...(identity === undefined ? [] : [[`${folder}/device`, identity, 'n0'] satisfies Node]),
    ...(origin === undefined ? [] : [[`${folder}/port`, origin, 'n0'] satisfies Node]),
    ...drivers.flatMap(({ interface: intf, driver }): Node[] => [
      [`${folder}/${encoded(intf)}`, '', 'n0'],
      [savedDriverPath(busid, intf), driver === undefined ? 'none' : `/sys/bus/usb/drivers/${driver}`, 'n0'],
    ]),
  ];
}
