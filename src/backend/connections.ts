/** Connection events: what a guest is told about its ports. */
import { BackRing, CONNECTION_RING, connectionWord, type UsbifSpeed } from '../usbif/index.js';

/** The events of one controller. The guest gives a request for each; events wait while there is none. */
export class Connections {
  readonly #ring: BackRing;
  #waiting: { readonly port: number; readonly speed: UsbifSpeed }[] = [];

  /** @param responseProducer where an earlier backend stopped; all requests before are used up */
  constructor(page: Uint8Array, responseProducer = 0) {
    this.#ring = new BackRing(page, CONNECTION_RING, responseProducer);
  }

  /** Adds an event. */
  tell(port: number, speed: UsbifSpeed): void {
    this.#waiting.push({ port, speed });
  }

  /**
   * Shows the guest as many events as it has room for.
   *
   * @returns whether it wants to be told; undefined when its ring is impossible
   */
  show(): boolean | undefined {
    while (this.#waiting.length > 0) {
      const room = this.#ring.waiting();
      if (room === undefined) return undefined;
      if (room === 0 && !this.#ring.rearm()) break;
      for (const { port, speed } of this.#waiting.splice(0, room)) {
        const id = this.#ring.take()[0]! & 0xffff;
        this.#ring.respond([connectionWord(id, port, speed)]);
      }
    }
    return this.#ring.push();
  }
}
