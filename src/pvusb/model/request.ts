/** What is to be made and where something is to go, once everything is decided. */
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
  /**
   * Nodes besides the port that must stay empty: ports with the same number on other controllers (for types whose port
   * numbers clash), and a virtual device in this one.
   */
  readonly keptEmpty: readonly string[];
  /** Present if the controller has to be created first. */
  readonly created?: NewController;
}

/** How a controller is removed. */
export interface RemoveRequest {
  /** Do not wait for the guest to let go. */
  readonly destroy: boolean;
}
