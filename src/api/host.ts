/** The schemas of what a host looks like. */
import { z } from 'zod';
import type { HostUse, HostUseKind } from '../hostuse/index.js';
import { USE_KINDS } from '../hostuse/use.js';
import type { SavedController, SavedDevice } from '../libxl/index.js';
import type {
  Controller,
  Domain,
  Inventory,
  OrphanBackend,
  OwnBackend,
  Port,
  PortState,
  QemuAnswer,
  QuiescedGuest,
  SavedDrivers,
  SavedSettings,
  UntrustedFrontend,
} from '../pvusb/index.js';
import { ERROR_KINDS, type PvusbErrorCode } from '../pvusb/model/errors.js';
import type { UsbDevice, UsbInterface } from '../sysfs/index.js';
import { at, busid, controllerType, count, driverName, interfaceId, named, virtualName } from './parts.js';

/** A schema for each field, the optional ones too: zod leaves out of an answer what no schema names. */
type Fields<T> = Readonly<Record<keyof T, z.ZodType>>;

/** The code of an error. */
export const errorCode = z.enum(Object.keys(ERROR_KINDS) as [PvusbErrorCode, ...PvusbErrorCode[]]);

/** The fields of a USB device. */
export const deviceFields = {
  busid,
  kind: z.enum(['device', 'hub', 'root-hub']),
  bus: count,
  address: count,
  vendorId: z.string(),
  productId: z.string(),
  deviceClass: z.string(),
  speedMbps: z.number(),
  unauthorized: z.literal(true).optional(),
  unconfigured: z.literal(true).optional(),
  manufacturer: z.string().optional(),
  product: z.string().optional(),
  serial: z.string().optional(),
  interfaces: z.array(
    z.object({
      id: interfaceId,
      number: count,
      classes: z.string(),
      driver: driverName.optional(),
      unauthorized: z.literal(true).optional(),
    } satisfies Fields<UsbInterface>),
  ),
  sockets: count.optional(),
  peer: busid.optional(),
  connectType: z.string().optional(),
  descriptors: z.string().optional(),
  hash: z.string().optional(),
} satisfies Fields<UsbDevice>;

/** A USB device. */
export const device: z.ZodType<UsbDevice> = named(
  'UsbDevice',
  'A USB device of the host. Its texts are its own: control characters are escaped, and nothing in them is to be trusted.',
  z.object(deviceFields),
);

/** The fields of a domain. */
export const domainFields = {
  domid: count,
  name: z.string().optional(),
  type: z.enum(['pv', 'pvh', 'hvm']).optional(),
  uuid: z.string().optional(),
  alive: z.boolean(),
  deviceModel: z.object({ running: z.boolean(), qusb: z.boolean() }).optional(),
} satisfies Fields<Domain>;

/** A domain. */
export const domain: z.ZodType<Domain> = named('Domain', 'A Xen domain.', z.object(domainFields));

const port: z.ZodType<Port> = named(
  'Port',
  'A port of a controller, and the device in it.',
  z.object({
    port: count,
    busid: busid.optional(),
    virtual: virtualName.optional(),
    untrustedJunk: z.string().optional(),
  } satisfies Fields<Port>),
);

/** The fields of a controller. */
export const controllerFields = {
  ...at,
  type: z.enum([...controllerType.options, 'unknown']),
  version: count,
  portCount: count,
  backendDomid: count,
  backend: z.string().optional(),
  frontend: z.string().optional(),
  portsAt: z.string().optional(),
  backendState: count.optional(),
  online: z.boolean(),
  untrustedFrontend: z.object({
    state: z.number().optional(),
    eventChannel: z.number().optional(),
    urbRingRef: z.number().optional(),
    connRingRef: z.number().optional(),
  } satisfies Fields<UntrustedFrontend>),
  ports: z.array(port),
  strayPorts: z.array(port),
} satisfies Fields<Controller>;

/** A controller. */
export const controller: z.ZodType<Controller> = named(
  'Controller',
  'A virtual USB controller of a domain.',
  z.object(controllerFields),
);

/** What has become of a device in a port. */
export const portState: z.ZodType<PortState> = z.enum([
  'in-use',
  'waiting',
  'not-opened',
  'other-device',
  'missing',
]);

/** What a domain's QEMU said. */
export const qemuAnswer: z.ZodType<QemuAnswer> = named(
  'QemuAnswer',
  "What a domain's QEMU said when it was asked.",
  z.object({
    domid: count,
    health: z.enum(['alive', 'dead', 'silent']),
    why: z.string().optional(),
    code: errorCode.optional(),
    version: z.object({ major: count, minor: count }).optional(),
    controllers: z.array(count),
    devices: z.array(
      z.object({
        type: controllerType,
        devid: count,
        port: count,
        socket: z.string().optional(),
        open: z.boolean(),
      }),
    ),
  } satisfies Fields<QemuAnswer>),
);

/** A use of a device by the host itself. */
export const hostUse: z.ZodType<HostUse> = named(
  'HostUse',
  'How the host itself uses a device. `refuse`: it needs the device; `warn`: it may miss it.',
  z.object({
    busid,
    use: z.enum(USE_KINDS as readonly [HostUseKind, ...HostUseKind[]]),
    name: z.string(),
    of: z.string().optional(),
    sentence: z.string(),
    grade: z.enum(['refuse', 'warn']),
  } satisfies Fields<HostUse>),
);

/** What is saved about a device's drivers. */
export const savedDrivers: z.ZodType<SavedDrivers> = named(
  'SavedDrivers',
  'The drivers that a lent device had before.',
  z.object({
    busid,
    identity: z.string().optional(),
    origin: z.string().optional(),
    forced: z.string().optional(),
    drivers: z.array(z.object({ interface: interfaceId, driver: driverName.optional() })),
  } satisfies Fields<SavedDrivers>),
);

/** A backend directory without a record. */
export const orphanBackend: z.ZodType<OrphanBackend> = named(
  'OrphanBackend',
  'A backend directory that no record of the toolstack refers to.',
  z.object({ ...at, backend: z.string() } satisfies Fields<OrphanBackend>),
);

/** pvusb's own backend. */
export const ownBackend: z.ZodType<OwnBackend> = named(
  'OwnBackend',
  "pvusb's own backend, and the state that it shows of each port: 2, the device is open; 4, the guest has configured it; 6, it cannot be opened.",
  z.object({
    ports: z.array(
      z.object({ ...at, port: count, state: count } satisfies Fields<OwnBackend['ports'][number]>),
    ),
  } satisfies Fields<OwnBackend>),
);

const savedController: z.ZodType<SavedController> = z.object({
  devid: z.int(),
  type: z.enum(['auto', ...controllerType.options]),
  version: count.optional(),
  ports: count.optional(),
  backendDomid: count.optional(),
  backendDomname: z.string().optional(),
} satisfies Fields<SavedController>);

const savedDevice: z.ZodType<SavedDevice> = z.object({
  ctrl: z.int(),
  port: count,
  hostbus: count.optional(),
  hostaddr: count.optional(),
} satisfies Fields<SavedDevice>);

const savedSettings: z.ZodType<SavedSettings> = named(
  'SavedSettings',
  "The USB part of a domain's saved configuration.",
  z.object({
    domid: count,
    uuid: z.string(),
    controllers: z.array(savedController),
    devices: z.array(savedDevice),
    problem: z.string().optional(),
  } satisfies Fields<SavedSettings>),
);

/** A quiesced guest. */
export const quiescedGuest: z.ZodType<QuiescedGuest> = named(
  'QuiescedGuest',
  'A guest that is quiesced, and what it gets back. `isIncomplete`: it was restored, but not completely.',
  z.object({
    token: z.string(),
    time: z.string(),
    domid: count,
    name: z.string().optional(),
    uuid: z.string().optional(),
    isIncomplete: z.boolean(),
    controllers: z.array(z.object({ devid: count, type: controllerType, version: count, ports: count })),
    devices: z.array(
      z.object({ busid, identity: z.string(), socket: z.string().optional(), devid: count, port: count }),
    ),
  } satisfies Fields<QuiescedGuest>),
);
/** A whole host. */
export const inventory: z.ZodType<Inventory> = named(
  'Inventory',
  'The whole host as it is at one moment.',
  z.object({
    format: z.literal('pvusb-inventory-1'),
    usbback: z.boolean(),
    backend: ownBackend.optional(),
    devices: z.array(device),
    domains: z.array(domain),
    controllers: z.array(controller),
    qemus: z.array(qemuAnswer),
    saved: z.array(savedSettings),
    savedDrivers: z.array(savedDrivers),
    orphanBackends: z.array(orphanBackend),
    uses: z.array(hostUse).optional(),
    ruleFiles: z.array(z.object({ path: z.string(), text: z.string() })).optional(),
    quiesced: z.array(quiescedGuest).optional(),
  } satisfies Fields<Inventory>),
);
