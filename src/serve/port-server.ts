/** One port of a controller: the device that its node names, opened, given to the guest, and closed again. */

import type { Clock } from '../async/index.js';
import type { LentDevice } from '../backend/boundary.js';
import type { Controller } from '../backend/controller.js';
import type { PortProgress } from '../backend/controller-parts.js';
import { showDevice } from '../backend/shown.js';
import { PortState } from '../pvusb/model/layout.js';
import type { RestoreAction } from '../pvusb/model/plan.js';
import { giveBack, type Home, recordedRestores } from './recorded.js';
import type { Wanted } from './wanted.js';

/** What a port needs. */
interface PortParts {
  readonly number: number;
  readonly home: Home;
  readonly clock: Clock;
  /** The engine, while the guest is connected. */
  controller(): Controller | undefined;
  /** Shows what has become of it; `''` when it names nothing. */
  show(state: PortState | '', reason: string): Promise<void>;
  /** The device that it had can be opened again. */
  released(): void;
  log(message: string): void;
}

/** How often what the guest does with its device is shown at most: it decides how often that changes. */
const PROGRESS_PAUSE_MS = 1000;

/** Follows one port node. Everything happens in order: {@link PortServer.follow} waits for what was asked before. */
export class PortServer {
  readonly #parts: PortParts;
  #name = '';
  #openDevice: Wanted['open'] = async () => {
    throw new Error('the port names no device');
  };
  #device: LentDevice | undefined;
  /** What gives it back. The record may be gone when the port is emptied. */
  #restores: readonly RestoreAction[] = [];
  /** The engine that has it, or has refused it. */
  #pluggedInto: Controller | undefined;
  /** Of the device that was approved by attaching it: what is plugged in later under its name must be the same. */
  #fingerprint: number | undefined;
  /** Something was plugged in while a device was open: perhaps that one, whose end is not noticed yet. */
  #isPluggedSince = false;
  /** What the guest has made of the device, and what of that is shown. */
  #progress: PortProgress = 'opened';
  #shown: PortProgress = 'opened';
  #isPausing = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: PortParts) {
    this.#parts = parts;
  }

  /**
   * The port names a device, or none: `''`.
   *
   * @param again something was plugged in: what could not be opened is tried again
   */
  follow({ name, open }: Wanted, again: boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (name !== this.#name) await this.#letGo();
      const isNew = name !== this.#name;
      this.#name = name;
      this.#openDevice = open;
      if (name === '') {
        if (isNew) await this.#parts.show('', '');
        return;
      }
      if (this.#device) this.#isPluggedSince ||= again;
      else if (isNew || again) await this.#open(isNew);
      await this.#plug();
    });
  }

  /** The guest has connected: a device that is open is plugged in. */
  connected(): Promise<void> {
    return this.#inTurn(() => this.#plug());
  }

  /** What the engine tells about this port. */
  progressed(progress: PortProgress | undefined): void {
    if (progress) {
      this.#progress = progress;
      this.#showProgress();
      return;
    }
    // Pulled out, unless we take it out ourselves.
    void this.#inTurn(async () => {
      if (!this.#pluggedInto || this.#pluggedInto.ports.has(this.#parts.number)) return;
      this.#pluggedInto = undefined;
      await this.#close();
      await this.#show(PortState.failed, 'it has been pulled out');
      if (!this.#isPluggedSince) return;
      await this.#open(false);
      await this.#plug();
    });
  }

  #showProgress(): void {
    if (this.#isPausing || this.#progress === this.#shown) return;
    this.#isPausing = true;
    const pause = (): Promise<void> => this.#parts.clock.sleep(PROGRESS_PAUSE_MS);
    void this.#inTurn(async () => {
      this.#shown = this.#progress;
      if (this.#device) await this.#show(this.#shown === 'opened' ? PortState.opened : PortState.configured);
    })
      .then(pause)
      .then(() => {
        this.#isPausing = false;
        this.#showProgress();
      });
  }

  /** Gives the device back. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#letGo());
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work).catch(this.#tell);
    return this.#turn;
  }

  readonly #tell = (error: unknown): void => {
    this.#parts.log(`port ${this.#parts.number}: ${messageOf(error)}`);
  };

  async #open(isNew: boolean): Promise<void> {
    const { number, home, log } = this.#parts;
    if (isNew) this.#fingerprint = undefined;
    this.#isPluggedSince = false;
    try {
      const device = await this.#openDevice();
      const shown = showDevice(device);
      const isApproved = this.#fingerprint === undefined || shown?.fingerprint === this.#fingerprint;
      if (!shown || !isApproved) {
        await device.close();
        throw new Error(isApproved ? 'it has no descriptors' : 'it is not the device that was lent');
      }
      this.#fingerprint = shown.fingerprint;
      this.#device = device;
      this.#restores = await recordedRestores(home, this.#name);
      this.#progress = 'opened';
      this.#shown = 'opened';
      log(`port ${number}: ${this.#name} is open`);
      await this.#show(PortState.opened);
    } catch (error) {
      if (isNew) log(`port ${number}: ${this.#name} cannot be opened: ${messageOf(error)}`);
      await this.#show(PortState.failed, messageOf(error));
    }
  }

  async #plug(): Promise<void> {
    const controller = this.#parts.controller();
    const { number } = this.#parts;
    if (!controller) return;
    if (!this.#device) {
      controller.empty(number);
      return;
    }
    if (this.#pluggedInto === controller) return;
    this.#pluggedInto = controller;
    const refused = controller.plug(number, this.#device);
    if (refused !== undefined) await this.#show(PortState.failed, refused);
  }

  async #letGo(): Promise<void> {
    const controller = this.#pluggedInto;
    this.#pluggedInto = undefined;
    await controller?.unplug(this.#parts.number);
    const isOpen = this.#device !== undefined;
    await this.#close();
    // Whoever emptied the port cannot do that before now; if it is done again, that is no error. A driver that refuses,
    // or a device that was pulled out, is no reason to leave the port as it was.
    if (isOpen) await giveBack(this.#parts.home, this.#restores).catch(this.#tell);
    this.#restores = [];
    if (isOpen) this.#parts.released();
  }

  async #close(): Promise<void> {
    const device = this.#device;
    this.#device = undefined;
    await device?.close();
  }

  async #show(state: PortState, reason = ''): Promise<void> {
    await this.#parts.show(state, reason);
  }
}

/** The words of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
