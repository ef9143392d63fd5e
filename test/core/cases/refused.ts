/** Every error that bad input can cause: its code, a sentence that names what it is about, the world unchanged. */
import {
  addController,
  attachDevice,
  type ControllerType,
  controllerInfo,
  detachDevice,
  listDevices,
  listInventory,
  type PvusbErrorCode,
  removeController,
} from '../../../src/pvusb/index.js';
import { controllerOf, type Lab, labWith, type Refusal } from '../support/test-host.js';
import type { Case } from './case.js';

const attach =
  (domain: string | number, device: string, place: { devid?: number; port?: number } = {}) =>
  (lab: Lab) =>
    attachDevice(lab.host, { domain, device, ...place });
const add =
  (request: Omit<Parameters<typeof addController>[1], 'domain'>, domain: string | number = 1) =>
  (lab: Lab) =>
    addController(lab.host, { domain, ...request });
const remove =
  (domain: string | number, devid: number, destroy = false) =>
  (lab: Lab) =>
    removeController(lab.host, { domain, devid, destroy });
const detachPort =
  (domain: string | number, devid: number, port: number) =>
  (lab: Lab): Promise<unknown> =>
    detachDevice(lab.host, { domain, devid, port });
const detach =
  (device: string, domain?: string | number) =>
  (lab: Lab): Promise<unknown> =>
    detachDevice(lab.host, { device, domain });

/** Domain 1 has controller 0 with 3-8 in port 1 of 2; domain 2 has controller 0, full with 4-1. */
const TABLE: Readonly<Record<string, readonly Refusal[]>> = {
  'an unknown domain': [7, '7', 'nobody', '', -1, 1.5, '99999999999'].flatMap((domain): Refusal[] => {
    const says = [String(domain)];
    const code = 'no-such-domain';
    return [
      { code, says, act: attach(domain, '3-4') },
      { code, says, act: add({}, domain) },
      { code, says, act: remove(domain, 0) },
      { code, says, act: detachPort(domain, 0, 1) },
      { code, says, act: detach('3-8', domain) },
      { code, says, act: (lab) => listDevices(lab.host, { domain }) },
      { code, says, act: (lab) => listInventory(lab.host, { domain }) },
      { code, says, act: (lab) => controllerInfo(lab.host, { domain, devid: 0 }) },
    ];
  }),
  'domain 0': [
    { code: 'invalid-argument', says: ['Domain 0', '3-4'], act: attach(0, '3-4') },
    { code: 'invalid-argument', says: ['Domain 0', '3-4'], act: attach('Domain-0', '3-4') },
    { code: 'invalid-argument', says: ['Domain 0'], act: add({}, 0) },
    { code: 'no-such-controller', says: ['Domain 0'], act: remove(0, 0) },
  ],
  'an unknown controller': [1, -1, 65536].flatMap((devid): Refusal[] => {
    const code = 'no-such-controller';
    const says = ['omain 1', `controller ${devid}`];
    return [
      { code, says, act: attach(1, '3-4', { devid }) },
      { code, says, act: attach(1, '3-4', { devid, port: 1 }) },
      { code, says, act: remove(1, devid) },
      { code, says, act: remove(1, devid, true) },
      { code, says, act: detachPort(1, devid, 1) },
      { code, says, act: (lab) => controllerInfo(lab.host, { domain: 1, devid }) },
    ];
  }),
  'an unknown device': [
    { code: 'no-such-device', says: ['9-1'], act: attach(1, '9-1') },
    { code: 'no-such-device', says: ['3-5.7'], act: attach(1, '3-5.7') },
    { code: 'no-such-device', says: ['3.99'], act: attach(1, '3.99') },
    { code: 'no-such-device', says: ['dead:beef'], act: attach(1, 'dead:beef') },
    { code: 'no-such-device', says: ['46f4:0001:LAB'], act: attach(1, '46f4:0001:LAB') },
    { code: 'no-such-device', says: ['9-1'], act: detach('9-1') },
    { code: 'no-such-device', says: ['usb9'], act: attach(1, 'usb9') },
  ],
  'something that is not the name of a device': [
    '',
    'x',
    '../../4-1',
    '3-1\n',
    '4-1:1.0',
    '3.',
    '46f4',
  ].flatMap((name): Refusal[] => [
    { code: 'invalid-argument', says: [JSON.stringify(name)], act: attach(1, name) },
    { code: 'invalid-argument', says: [JSON.stringify(name)], act: detach(name) },
  ]),
  'a name that two devices match': [
    { code: 'ambiguous-device', says: ['46f4:0001', '1-1', 'LAB0002', '4-1'], act: attach(1, '46f4:0001') },
    { code: 'ambiguous-device', says: ['0627:0001', '3-5.1'], act: attach(1, '0627:0001') },
  ],
  'a hub and a root hub': [
    { code: 'is-hub', says: ['3-5', 'hub'], act: attach(1, '3-5') },
    { code: 'is-root-hub', says: ['usb3', 'root hub'], act: attach(1, 'usb3') },
    { code: 'is-root-hub', says: ['usb1'], act: attach(1, '1.1') },
  ],
  'a device that some domain already has': [
    {
      code: 'already-attached',
      says: ['3-8', 'port 1', 'controller 0', 'u1 (domain 1)'],
      act: attach(1, '3-8'),
    },
    { code: 'already-attached', says: ['3-8', 'u1 (domain 1)'], act: attach(2, '3-8') },
    {
      code: 'already-attached',
      says: ['4-1', 'u2 (domain 2)'],
      act: attach(1, '4-1', { devid: 0, port: 2 }),
    },
  ],
  'a port that is taken, empty, impossible or without a controller': [
    {
      code: 'port-in-use',
      says: ['ort 1', '3-8', 'u1 (domain 1)'],
      act: attach(1, '3-4', { devid: 0, port: 1 }),
    },
    { code: 'port-empty', says: ['port 2', 'u1 (domain 1)'], act: detachPort(1, 0, 2) },
    { code: 'port-empty', says: ['3-4'], act: detach('3-4') },
    { code: 'port-empty', says: ['3-8', 'u2 (domain 2)'], act: detach('3-8', 2) },
    { code: 'invalid-argument', says: ['ort 1', 'u1 (domain 1)'], act: attach(1, '3-4', { port: 1 }) },
    ...[0, 3, 99, -1, 1.5, Number.NaN].flatMap((port): Refusal[] => [
      {
        code: 'no-such-port',
        says: [String(port), 'u1 (domain 1)'],
        act: attach(1, '3-4', { devid: 0, port }),
      },
      { code: 'no-such-port', says: [String(port), 'u1 (domain 1)'], act: detachPort(1, 0, port) },
    ]),
  ],
  'a controller that is full': [
    { code: 'controller-full', says: ['ontroller 0', 'u2 (domain 2)'], act: attach(2, '3-4', { devid: 0 }) },
  ],
  'an impossible controller': [
    { code: 'controller-exists', says: ['1', 'controller 0'], act: add({ devid: 0 }) },
    ...[0, 32, -1, 2.5, Number.NaN].map(
      (ports): Refusal => ({ code: 'invalid-argument', says: [`${ports} ports`], act: add({ ports }) }),
    ),
    ...[0, 3, 1.5, Number.NaN].map(
      (version): Refusal => ({ code: 'invalid-argument', says: [String(version)], act: add({ version }) }),
    ),
    ...[-1, 65536, 0.5].map(
      (devid): Refusal => ({ code: 'invalid-argument', says: [String(devid)], act: add({ devid }) }),
    ),
    { code: 'no-device-model', says: ['qusb', 'omain 1', 'QEMU'], act: add({ type: 'qusb' }) },
    { code: 'unsupported-type', says: ['omain 1', 'HVM'], act: add({ type: 'devicemodel', version: 3 }) },
    {
      code: 'unsupported-type',
      says: ['usbip'],
      act: add({ type: 'usbip' as unknown as ControllerType }),
    },
    { code: 'unsupported-backend', says: ['u2 (domain 2)', 'u1 (domain 1)'], act: add({ backendDomid: 2 }) },
    {
      code: 'unsupported-backend',
      says: ['u2 (domain 2)', 'u1 (domain 1)'],
      act: add({ backendDomname: 'u2' }),
    },
    { code: 'no-such-domain', says: ['"none"'], act: add({ backendDomname: 'none' }) },
  ],
};

const strange = labWith(
  controllerOf({ domid: 1, devid: 0, backendDomid: 2 }),
  controllerOf({ domid: 1, devid: 1, type: 'usbip' }),
  controllerOf({ domid: 1, devid: 2, type: 'pv', backend: '/local/domain/0/backend/qusb/1/2' }),
  controllerOf({ domid: 1, devid: 3, online: false, backendState: 5 }),
  controllerOf({ domid: 1, devid: 4, backend: '/local/domain/0/backend/vusb/2/4' }),
);

const half = (devid: number): Refusal[] => [
  {
    code: 'controller-closing',
    says: [`ontroller ${devid}`, 'u1 (domain 1)'],
    act: attach(1, '3-4', { devid }),
  },
];
const foreign = (devid: number, code: PvusbErrorCode): Refusal[] => {
  const says = [`ontroller ${devid}`, 'omain 1'];
  return [
    { code, says, act: attach(1, '3-4', { devid, port: 1 }) },
    { code, says, act: remove(1, devid) },
    { code, says, act: remove(1, devid, true) },
  ];
};

function caseOf(name: string, refusals: readonly Refusal[], base: Pick<Case, 'options' | 'unsound'>): Case {
  return {
    name: `${name} is refused, and nothing is changed`,
    ...base,
    run: (lab) => lab.refuses(refusals),
  };
}

const usual = labWith(
  controllerOf({ domid: 1, devid: 0 }),
  controllerOf({ domid: 2, devid: 0, portCount: 1 }),
);

export const refusalCases: readonly Case[] = [
  ...Object.entries(TABLE).map(([name, refusals]): Case => {
    const { run, ...rest } = caseOf(name, refusals, { options: { world: usual } });
    return {
      ...rest,
      async run(lab) {
        await lab.attach(1, '3-8');
        await lab.attach(2, '4-1');
        await run(lab);
      },
    };
  }),
  caseOf('a controller that is being removed', half(3), { options: { world: strange }, unsound: true }),
  caseOf('a controller with a backend in another domain', foreign(0, 'unsupported-backend'), {
    options: { world: strange },
    unsound: true,
  }),
  caseOf(
    'a controller of a type or with a backend that we do not know',
    [1, 2, 4].flatMap((devid) => foreign(devid, 'unsupported-type')),
    { options: { world: strange }, unsound: true },
  ),
  caseOf(
    'type pv without usbback',
    [
      { code: 'no-usbback', says: ['usbback', 'u1 (domain 1)'], act: add({ type: 'pv' }) },
      { code: 'no-usbback', says: ['usbback', 'u1 (domain 1)'], act: attach(1, '3-4', { devid: 0 }) },
      { code: 'no-device-model', says: ['qusb', 'omain 1', 'QEMU'], act: add({}) },
    ],
    {
      options: { world: { ...labWith(controllerOf({ domid: 1, devid: 0 })), usbback: false } },
      unsound: true,
    },
  ),
  {
    name: 'a name that two domains have is refused',
    async run(lab) {
      await lab.write('/local/domain/2/name', 'u1');
      await lab.refuses([{ code: 'ambiguous-domain', says: ['1, 2', 'u1'], act: attach('u1', '3-4') }]);
    },
  },
  {
    name: 'a dead domain gets no device and no controller',
    options: { world: usual },
    async run(lab) {
      await lab.sim.killDomain(1, { leaveRecords: true });
      const says = ['omain 1'];
      await lab.refuses([
        { code: 'no-such-domain', says, act: attach(1, '3-4') },
        { code: 'no-such-domain', says, act: add({}) },
      ]);
    },
  },
];
