/** The simulated host. */
export type { SysfsFiles } from '../sysfs/index.js';
export type { Access, Permission, Transport, TransportEvents } from '../xenstore/index.js';
export type { Actor, ActorStore } from './actors/actor.js';
export { type GuestOptions, SimGuest } from './actors/guest.js';
export { type Manner, SimUsbback } from './actors/usbback.js';
export { ControlError, type ControlRequest, type ControlResult, HostControl } from './host/control.js';
export { type HostOptions, type HostStore, type NewDomain, SimHost } from './host/host.js';
export { type Reboot, rebootDomain } from './host/reboot.js';
export * from './kernel/index.js';
export * from './publish/index.js';
export * from './qemu/index.js';
export * from './store/index.js';
export {
  controllerNodes,
  deviceModelNodes,
  domainNodes,
  type Node,
  savedDriverPath,
  writeNodes,
} from './toolstack/records.js';
export { parseWorld, parseWorldText, shortWorld, WORLD_TEXT_MAX, WorldError } from './world/parse.js';
export { labWorld } from './world/recorded-pv.js';
export { qemuWorld } from './world/recorded-qemu.js';
export type { World, WorldController, WorldDomain, WorldSavedDrivers } from './world/world.js';
