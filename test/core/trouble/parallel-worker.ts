/** A process that attaches many devices at once, as each of its parent's messages says. Run by parallel.test.ts. */
import { attachDevice, type HostEnvironment, isPvusbError, openHost } from '../../../src/pvusb/index.js';

/** What a process should do. */
export interface Job {
  /** Where the simulated host is. */
  readonly environment: HostEnvironment;
  readonly wishes: readonly Wish[];
}

/** One attach. */
export interface Wish {
  readonly domain: number;
  readonly device: string;
  readonly devid?: number;
}

/** How it ended: the place, as `domid/devid/port`, or the error. */
export type Ending = { readonly place: string } | { readonly code: string; readonly message: string };

process.on('message', async (job: Job) => {
  const host = await openHost({ environment: job.environment });
  const endings = await Promise.all(
    job.wishes.map(async (wish): Promise<Ending> => {
      try {
        const { result } = await attachDevice(host, wish);
        return { place: `${result.domid}/${result.devid}/${result.port}` };
      } catch (error) {
        const code = isPvusbError(error) ? error.code : 'untyped';
        return { code, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
      }
    }),
  );
  await host.close();
  process.send!(endings);
});
