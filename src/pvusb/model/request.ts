/** What is to be made and where something is to go, when all of it is decided. */
import type { ControllerType } from './inventory.js';
import type { ControllerId } from './layout.js';

/** A controller as it will be made. */
export interface NewController extends ControllerId {
  readonly type: ControllerType;
  readonly version: number;
  readonly ports: number;
}

/** A port that a device is lent to. */
export interface Target extends ControllerId {
  readonly type: ControllerType;
  readonly port: number;
  /** The node whose `port/N` are the controller's ports. */
  readonly portsAt: string;
  /** Ports of the same number on other controllers that must stay empty (types whose port numbers clash). */
  readonly keptEmpty: readonly string[];
  /** Present when the controller has to be made first. */
  readonly created?: NewController;
}

/** How a controller goes. */
export interface RemoveRequest {
  /** Does not wait for the guest to let go. */
  readonly destroy: boolean;
}
