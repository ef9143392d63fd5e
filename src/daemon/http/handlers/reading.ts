/** What only looks. */
import { openApiDocument, type RouteName } from '../../../api/index.js';
import {
  assignmentJson,
  checkRules,
  explain,
  explanationJson,
  exportUsb,
  listedDevices,
  listedDomains,
  toldDiagnosis,
} from '../../../commands/index.js';
import {
  assignmentsOf,
  controllerInfo,
  doctor,
  listInventory,
  listQuiesced,
  PvusbError,
} from '../../../pvusb/index.js';
import { formatImported, importFile, isGuestName } from '../../../rules/imports/index.js';
import { readUsbNames } from '../../../sysfs/index.js';
import { type Handler, inventoryFor, look } from '../ask.js';

/** The routes that only look, except for those that do not answer with JSON. */
export type ReadingName = Extract<
  RouteName,
  | 'health'
  | 'readiness'
  | 'openapi'
  | 'version'
  | 'whoami'
  | 'inventory'
  | 'devices'
  | 'list'
  | 'controllerInfo'
  | 'export'
  | 'doctor'
  | 'assignments'
  | 'explain'
  | 'check'
  | 'requests'
  | 'quiesced'
  | 'audit'
  | 'import'
>;

const QUICK = { quick: true } as const;
const THOROUGH = { uses: 'all', rules: true } as const;

/** Answers them. */
export const READING: { readonly [Name in ReadingName]: Handler<Name> } = {
  health: async () => ({ status: 'ok' }),
  readiness: async ({ parts }) => ({ state: parts.service.state }),
  openapi: async ({ parts }) => openApiDocument(parts.version),
  version: async ({ parts }) => ({ version: parts.version, api: 1 }),
  whoami: async ({ actor: { name, role, guests, devices } }) => ({ name, role, guests, devices }),
  inventory: (ask) => look(ask, { asks: 'all', uses: 'all', rules: true, details: true }, (seen) => seen),
  devices: (ask) =>
    look(ask, { ...(ask.request.quick ? QUICK : THOROUGH), details: true }, async (seen) => {
      const names = await readUsbNames(seen.devices, ask.parts.usbIds);
      return listedDevices(seen, names, ask.request);
    }),
  list: ({ parts, request, signal }) =>
    parts.service.reading(async (host) => {
      const from = await inventoryFor({ parts, signal }, request.quick);
      return listedDomains(await listInventory(host, request, { signal, from }), request.domain);
    }),
  controllerInfo: ({ parts, request, signal }) =>
    parts.service.reading(async (host) => {
      const from = await parts.service.inventory(signal);
      return controllerInfo(host, request, { signal, from });
    }),
  export: ({ parts, request, signal }) =>
    parts.service.reading(async (host) => {
      const from = await parts.service.inventory(signal);
      const seen = await listInventory(host, request, { signal, asksQemu: false, from });
      const { inventory: _, ...exported } = exportUsb(seen, request.domain);
      return exported;
    }),
  doctor: ({ parts, request, signal }) =>
    parts.service.reading(async (host) =>
      toldDiagnosis(await doctor(host, { signal, ...(request.quick ? { settleMs: 0 } : {}) })),
    ),
  assignments: (ask) =>
    look(ask, { asks: 'all', uses: 'all', rules: true }, (seen) => assignmentsOf(seen).map(assignmentJson)),
  explain: (ask) =>
    look(ask, { uses: 'all', rules: true, details: true }, (seen) =>
      explanationJson(explain(seen, ask.request)),
    ),
  check: (ask) => look(ask, { rules: true, details: true }, checkRules),
  requests: async ({ parts }) => parts.service.requests,
  quiesced: ({ parts }) => parts.service.reading(listQuiesced),
  audit: async ({ parts, request }) => ({ entries: await parts.audit(request) }),
  async import({ request }) {
    const { format, text, path = 'the file', guest, mode } = request;
    if (guest !== undefined && !isGuestName(guest))
      throw new PvusbError('invalid-argument', 'What is called guest is not the name or uuid of a guest.');
    if (mode !== undefined && guest === undefined)
      throw new PvusbError('invalid-argument', 'A mode is about a guest: name it.');
    const imported = importFile(format, { path, untrustedContent: Buffer.from(text) }, { guest, mode });
    const { problems, warnings, reports } = imported;
    const isComplete = problems.length === 0 && reports.every(({ isExpressed }) => isExpressed);
    const made = problems.length === 0 ? formatImported(format, path, imported) : '';
    return { text: made, complete: isComplete, problems, warnings, reports };
  },
};
