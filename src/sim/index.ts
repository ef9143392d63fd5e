export type { Actor, ActorStore } from './actor.js';
export { type GuestOptions, SimGuest } from './guest.js';
export { type HostOptions, type HostStore, type NewDomain, SimHost } from './host.js';
export * from './kernel/index.js';
export * from './publish/index.js';
export * from './qemu/index.js';
export { type Reboot, rebootDomain } from './reboot.js';
export { controllerNodes, deviceModelNodes, domainNodes, savedDriverPath, writeNodes } from './records.js';
export * from './store/index.js';
export { type Manner, SimUsbback } from './usbback.js';
export {
  parseWorld,
  parseWorldText,
  shortWorld,
  WORLD_TEXT_MAX,
  type World,
  type WorldController,
  type WorldDomain,
  WorldError,
  type WorldSavedDriver,
} from './world.js';
export { labWorld } from './worlds/lab.js';
export { qemuWorld } from './worlds/qemu.js';
