/** A QMP client that only listens, and the answers it expects: a second implementation, independent of the product's client. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { qemuWorld, SimHost, type SimQemu } from '../../src/sim/index.js';

/** One JSON object of QMP. */
export type Message = Readonly<Record<string, unknown>>;

/** A client that keeps everything it was sent. */
export class RawQmp {
  readonly #transport: ReturnType<SimQemu['connectQmp']>;
  readonly #qemu: SimQemu;
  #text = '';
  closed: { readonly cause: Error | undefined } | undefined;

  constructor(qemu: SimQemu) {
    this.#qemu = qemu;
    this.#transport = qemu.connectQmp();
    this.#transport.start({
      bytes: (chunk) => {
        this.#text += chunk.toString();
      },
      closed: (cause) => {
        this.closed = { cause };
      },
    });
  }

  /** A client that has negotiated. */
  static async ready(qemu: SimQemu): Promise<RawQmp> {
    const client = new RawQmp(qemu);
    assert.ok('QMP' in (await client.ask('qmp_capabilities'))[0]!);
    return client;
  }

  /** All messages since the last call. */
  async heard(): Promise<Message[]> {
    await this.#qemu.idle();
    await delay(1);
    const lines = this.#text.split('\r\n');
    this.#text = lines.pop()!;
    return lines.map((line) => JSON.parse(line) as Message);
  }

  async ask(execute: string, args?: Message): Promise<Message[]> {
    this.send(JSON.stringify({ execute, ...(args ? { arguments: args } : {}) }));
    return this.heard();
  }

  send(text: string): void {
    this.#transport.send(Buffer.from(text));
  }

  close(): void {
    this.#transport.close();
  }
}

/** The HVM guest of a host, with a client. */
export async function guest() {
  const host = await SimHost.create(qemuWorld());
  const qemu = host.qemus.get(4)!;
  return { host, qemu, client: await RawQmp.ready(qemu), driver: (intf: string) => host.usb.driverOf(intf) };
}

export const stick = { driver: 'usb-host', bus: 'xenusb-0.0', hostbus: 1, hostaddr: 2 };
export const generic = (desc: string) => ({ error: { class: 'GenericError', desc } });
export const missing = (desc: string) => ({ error: { class: 'DeviceNotFound', desc } });
export const deleted = (id: string) => ({
  event: 'DEVICE_DELETED',
  data: { device: id, path: `/machine/peripheral/${id}` },
});
export const timeless = ({ timestamp: _timestamp, ...message }: Message) => message;
