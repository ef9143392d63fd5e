/** What a controller counts, for whoever looks after the host. */

/** Counters of one controller, all of them from its connection on. */
export interface Counters {
  /** Requests that the guest has sent. */
  requests: number;
  /** Those that were refused as malformed. */
  refused: number;
  unlinks: number;
  /** URBs that ended with an error. */
  failed: number;
  bytesIn: number;
  bytesOut: number;
  /** Transfers given to devices: fewer than URBs where runs were merged. */
  transfers: number;
  /** Events from the guest, and notifications to it. */
  events: number;
  notifications: number;
  /** Calls that copied from or to the guest. */
  copies: number;
  /** Pieces of guest memory that could not be copied. */
  copyFailures: number;
  resets: number;
  /** Requests that the firewall stalled. */
  stalled: number;
  plugs: number;
  unplugs: number;
}

/** Counters at 0. */
export function newCounters(): Counters {
  return {
    requests: 0,
    refused: 0,
    unlinks: 0,
    failed: 0,
    bytesIn: 0,
    bytesOut: 0,
    transfers: 0,
    events: 0,
    notifications: 0,
    copies: 0,
    copyFailures: 0,
    resets: 0,
    stalled: 0,
    plugs: 0,
    unplugs: 0,
  };
}

/** The counters of controllers in Prometheus' text format. */
export function formatMetrics(
  controllers: readonly { readonly domid: number; readonly devid: number; readonly counters: Counters }[],
): string {
  const names = Object.keys(newCounters()) as (keyof Counters)[];
  const lines = names.flatMap((name) => {
    const metric = `pvusb_backend_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`;
    return [
      `# TYPE ${metric} counter`,
      ...controllers.map(
        ({ domid, devid, counters }) => `${metric}{domid="${domid}",devid="${devid}"} ${counters[name]}`,
      ),
    ];
  });
  return `${lines.join('\n')}\n`;
}
