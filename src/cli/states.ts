/** The states that `list` shows, and what each means. */
import type { PortState } from '../pvusb/index.js';

/** Of a port with a device: the word that its line begins with, and what it means. */
export const PORT_STATES: Readonly<Record<PortState, { readonly word: string; readonly meaning: string }>> = {
  'in-use': { word: '', meaning: 'the guest is using the device' },
  waiting: {
    word: 'WAITING for the guest',
    meaning: 'the host side is ready; the guest has not taken it yet',
  },
  'not-opened': {
    word: 'NOT TAKEN',
    meaning:
      "the guest cannot use it: the host's drivers still have it, or QEMU could not open it or has died",
  },
  'other-device': {
    word: 'ANOTHER DEVICE',
    meaning:
      'a different device from the one that was attached is now in that socket; QEMU takes whatever is plugged in there',
  },
  missing: { word: 'MISSING', meaning: 'it has been pulled out' },
};

/** The states of xenbus by their numbers, and what each means when a controller's backend has it. */
export const XENBUS_STATES: readonly { readonly word: string; readonly meaning: string }[] = [
  { word: 'unknown', meaning: 'no state has been written' },
  { word: 'initialising', meaning: 'it is being set up' },
  {
    word: 'waiting for the guest',
    meaning: "its backend is ready; the guest's driver has not connected yet",
  },
  { word: 'initialised', meaning: "its backend has set it up; the guest's driver has not connected yet" },
  { word: 'connected', meaning: "its backend and the guest's driver are connected" },
  { word: 'closing', meaning: 'one end is disconnecting' },
  { word: 'closed', meaning: 'both ends have disconnected' },
];

/** What else `list` says of a controller. */
export const CONTROLLER_STATES = {
  gone: { word: 'gone', meaning: 'its backend is no longer in xenstore' },
  removed: { word: 'being removed', meaning: 'its removal was begun but not finished' },
  emulated: { word: 'emulated by QEMU', meaning: "the guest's QEMU has it; nothing has to connect" },
} as const;
