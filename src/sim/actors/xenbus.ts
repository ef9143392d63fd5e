/** The states of the xenbus handshake (`io/xenbus.h: enum xenbus_state`). */
export const XenbusState = {
  unknown: 0,
  initialising: 1,
  initWait: 2,
  initialised: 3,
  connected: 4,
  closing: 5,
  closed: 6,
} as const;
