/** The two formats of a world, with their limits. */
import { z } from 'zod';
import { isDeviceName, type UseSpec } from '../kernel/index.js';
import { USE_NAMES } from '../kernel/uses.js';
import { TYPE_NAMES } from './types.js';

/** xenstore's and the toolstack's limit: domids from 0x7FF0 on are reserved. */
const DOMID_MAX = 0x7fef;

const domid = z.int('is not a domid').min(0).max(DOMID_MAX);
const devid = z.int('is not a devid').min(0).max(65535);
const portNumber = z.int('is not a port').min(1).max(65535);
const stateNumber = z.int('is not a xenbus state').min(0).max(255);
const text = z.string('is not a string').max(4096);
const busid = z.string('is not a string').max(64).refine(isDeviceName, 'is not the name of a USB device');
const interfaceId = z
  .string()
  .max(64)
  .regex(/^\d{1,3}-\d{1,3}(\.\d{1,3}){0,6}:\d{1,3}\.\d{1,3}$/, 'is not the name of a USB interface');
const classes = z.string().regex(/^[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{2}$/, 'is not like 03/01/01');
const driverName = z
  .string('is not a string')
  .max(64)
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9_.\- ]+$/, 'is not the name of a driver')
  .refine((name) => name !== 'usb', 'is the driver of whole devices');
const connectType = z.enum(['hotplug', 'hardwired', 'not used', 'unknown']);
const descriptors = z.base64('is not base64').max(100_000);
const hex4 = z.string().regex(/^[0-9a-f]{4}$/, 'is not four hex digits');
const hex2 = z.string().regex(/^[0-9a-f]{2}$/, 'is not two hex digits');
const speed = z.number('is not a speed').min(0).max(100000);
const address = z.int('is not an address').min(1).max(127);
const ringNumber = z.int('is not a number').min(0).max(Number.MAX_SAFE_INTEGER);
const domainName = z.string().max(256);
const domainType = z.enum(['pv', 'pvh', 'hvm'], 'is none of pv, pvh, hvm');
const portText = z.string('is not a string').max(3500);
const list = <T extends z.ZodType>(item: T, max: number) =>
  z.array(item, 'is not a list').max(max, `has more than ${max} entries`);

/** The kernel's names are file names; those of device files may have a folder. */
const usedName = z
  .string('is not a string')
  .max(500)
  .refine((name) => Buffer.byteLength(name) <= 128, 'is longer than 128 bytes')
  .refine(
    (name) => /^[^/\0\n]+(\/[^/\0\n]+)?$/.test(name),
    'is not the name of a disk, a network interface...',
  )
  .refine((name) => name.split('/').every((part) => part !== '.' && part !== '..'), 'is not a name');

/** The limits of a world: far above what a host has, but low enough to stay fast. */
const DEVICES_MAX = 4096;
const DOMAINS_MAX = 4096;
const CONTROLLERS_MAX = 16384;

const inventoryPort = z.object({
  port: portNumber,
  busid: busid.optional(),
  virtual: portText.optional(),
  untrustedJunk: portText.optional(),
});

/** The uses about which there is no more to say, or need not be. */
const SIMPLE_USES: readonly string[] = [
  'swap',
  'btrfs',
  'default-route',
  'netns',
  'kernel-console',
  'keyboard',
  'sound',
];

/** The uses whose `of` is the name of something that has a folder of its own. */
const FILE_USES: readonly string[] = ['md', 'loop', 'member'];

/** One use of a device by the host. */
export const useSchema = z
  .strictObject({
    use: z.enum(USE_NAMES, `is none of ${USE_NAMES.join(', ')}`),
    name: usedName,
    of: z
      .string('is not a string')
      .min(1, 'is empty')
      .max(4096)
      .refine((of) => !of.includes('\0'), 'has a NUL in it')
      .optional(),
  })
  .refine(({ use, of }) => of !== undefined || SIMPLE_USES.includes(use), 'does not say what for ("of")')
  .refine(
    ({ use, of }) =>
      !FILE_USES.includes(use) || (of !== undefined && /^[^/\0\n]{1,64}$/.test(of) && !/^\.{1,2}$/.test(of)),
    'has no file name in "of"',
  );

/** What `pvusb inventory --json` prints (`Inventory` of the model); unknown fields are ignored. */
export const inventorySchema = z.object({
  format: z.literal('pvusb-inventory-1'),
  usbback: z.boolean('is neither true nor false'),
  devices: list(
    z.object({
      busid,
      kind: z.enum(['device', 'hub', 'root-hub']),
      bus: z.int().min(1).max(999),
      address,
      vendorId: hex4,
      productId: hex4,
      deviceClass: hex2,
      speedMbps: speed,
      unauthorized: z.literal(true).optional(),
      unconfigured: z.literal(true).optional(),
      manufacturer: text.optional(),
      product: text.optional(),
      serial: text.optional(),
      interfaces: list(
        z.object({
          id: z.string().max(64),
          number: z.int().min(0).max(255),
          classes,
          driver: driverName.optional(),
          unauthorized: z.literal(true).optional(),
        }),
        64,
      ),
      sockets: z.int().min(0).max(255).optional(),
      peer: busid.optional(),
      connectType: connectType.optional(),
      descriptors: descriptors.optional(),
    }),
    DEVICES_MAX,
  ),
  domains: list(
    z.object({
      domid,
      name: domainName.optional(),
      type: domainType.optional(),
      alive: z.boolean(),
      uuid: z.guid('is not a UUID').optional(),
      deviceModel: z.object({ running: z.boolean(), qusb: z.boolean() }).optional(),
    }),
    DOMAINS_MAX,
  ),
  controllers: list(
    z.object({
      domid,
      devid,
      type: z.enum([...TYPE_NAMES, 'unknown']),
      version: z.int().min(0).max(255),
      portCount: z.int().min(0).max(255),
      backendDomid: domid,
      backend: portText.optional(),
      frontend: portText.optional(),
      backendState: stateNumber.optional(),
      online: z.boolean(),
      untrustedFrontend: z.object({
        state: stateNumber.optional(),
        eventChannel: ringNumber.optional(),
        urbRingRef: ringNumber.optional(),
        connRingRef: ringNumber.optional(),
      }),
      ports: list(inventoryPort, 255),
      strayPorts: list(inventoryPort, 255),
    }),
    CONTROLLERS_MAX,
  ),
  savedDrivers: list(
    z.object({
      busid,
      identity: text.optional(),
      origin: portText.optional(),
      forced: portText.optional(),
      drivers: list(z.object({ interface: interfaceId, driver: driverName.optional() }), 255),
    }),
    DEVICES_MAX,
  ),
  orphanBackends: list(z.object({ domid, devid, backend: portText }), CONTROLLERS_MAX),
  uses: list(
    z.object({ busid, use: z.string().max(32), name: text, of: text.optional() }),
    DEVICES_MAX,
  ).optional(),
  ruleFiles: list(
    z.object({
      path: z.string().regex(/^assignments\.(conf|d\/[^/\0]{1,100}\.conf)$/, 'is not a file of rules'),
      text: z.string().max(4_000_000),
    }),
    1000,
  ).optional(),
  qemus: list(z.object({ domid, health: z.enum(['alive', 'dead', 'silent']) }), DOMAINS_MAX).optional(),
});

/** The short form, written by hand; an unknown field is an error, since it is probably a typing mistake. */
export const shortSchema = z.strictObject({
  format: z.literal('pvusb-world-1'),
  usbback: z.boolean('is neither true nor false').default(true),
  devices: list(
    z.strictObject({
      busid,
      id: z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, 'is not like 046d:c52b'),
      /** `bDeviceClass`, subclass and protocol, or only the class. */
      class: z
        .string()
        .regex(/^[0-9a-f]{2}(\/[0-9a-f]{2}\/[0-9a-f]{2})?$/, 'is not like 09 or 09/00/01')
        .default('00'),
      speed: speed.default(480),
      version: z
        .string()
        .regex(/^\d{1,2}\.\d{2}$/, 'is not like 2.00')
        .optional(),
      release: hex4.optional(),
      address: address.optional(),
      maxChild: z.int().min(0).max(255).optional(),
      /** What is known about a hub's ports: `{ "4": { "peer": "2-2" } }`. */
      ports: z
        .record(
          z.string().regex(/^[1-9]\d?$/, 'is not a port'),
          z.strictObject({ peer: busid.optional(), connectType: connectType.optional() }),
        )
        .optional(),
      descriptors: descriptors.optional(),
      /** False: the host does not allow its use; it then has no interfaces. */
      authorized: z.boolean('is neither true nor false').optional(),
      /** False: it is not configured, and has no interfaces. */
      configured: z.boolean('is neither true nor false').optional(),
      manufacturer: text.optional(),
      product: text.optional(),
      serial: text.optional(),
      interfaces: list(
        z.union(
          [
            classes,
            z.strictObject({
              number: z.int().min(0).max(255).optional(),
              classes,
              driver: driverName.nullable().optional(),
              authorized: z.boolean('is neither true nor false').optional(),
            }),
          ],
          'is neither like 03/01/01 nor an interface',
        ),
        64,
      ).default([]),
      /** What the host itself does with it. */
      uses: list(useSchema, 256).optional(),
    }),
    DEVICES_MAX,
  ).default([]),
  drivers: list(
    z.strictObject({
      name: driverName,
      match: list(z.string().max(16), 64),
      claim: z.enum(['single', 'siblings-on-bind', 'siblings-both']).optional(),
      siblings: list(z.string().max(16), 64).optional(),
    }),
    256,
  ).optional(),
  domains: list(
    z.strictObject({
      domid: domid.min(1, 'is domain 0, which is always there'),
      name: domainName.optional(),
      type: domainType.default('pv'),
      alive: z.boolean().default(true),
      driver: z.boolean('is neither true nor false').default(true),
      hostile: z.int().min(0).max(0xffffffff).optional(),
      deviceModel: z.boolean('is neither true nor false').optional(),
      uuid: z.guid('is not a UUID').optional(),
    }),
    DOMAINS_MAX,
  ).default([]),
  controllers: list(
    z.strictObject({
      domid: domid.min(1, 'is domain 0'),
      devid,
      type: z.enum(TYPE_NAMES, `is none of ${TYPE_NAMES.join(', ')}`).default('pv'),
      version: z.int().min(1).max(3).default(2),
      /** As libxl chooses it when absent. */
      ports: z.int().min(1).max(31).optional(),
      /** Which device is in which port: `{ "1": "3-2" }`. */
      devices: z
        .record(z.string().regex(/^[1-9]\d?$/, 'is not a port'), busid)
        .refine((map) => Object.keys(map).length <= 31, 'has more than 31 ports')
        .default({}),
    }),
    CONTROLLERS_MAX,
  ).default([]),
});

/** A use without the undefined field. */
export function definedUse({ use, name, of }: z.output<typeof useSchema>): UseSpec {
  return { use, name, ...(of === undefined ? {} : { of }) };
}

/** A checked inventory. */
export type CheckedInventory = z.output<typeof inventorySchema>;

/** A checked short form. */
export type ShortWorld = z.output<typeof shortSchema>;

/** Makes the error for a field that is well-formed but wrong. */
export type WorldFault = (field: string, problem: string) => Error;
