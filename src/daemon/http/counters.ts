/** What the daemon counts, and the metrics that are made of it and of the host. */
import type { DaemonEvent, RouteName } from '../../api/index.js';
import { describeGuests } from '../../commands/index.js';
import { allPorts, type Inventory, portState } from '../../pvusb/index.js';
import { describeDevice } from '../../sysfs/index.js';
import type { Service } from '../service.js';
import type { Metric, Sample } from './metrics.js';

/** Counts by labels. */
class Counter {
  readonly #samples = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>();

  add(labels: Readonly<Record<string, string>>): void {
    const key = JSON.stringify(labels);
    const sample = this.#samples.get(key);
    if (sample) sample.value++;
    else this.#samples.set(key, { labels, value: 1 });
  }

  get samples(): Sample[] {
    return [...this.#samples.values()];
  }
}

/** Counts requests and operations. The labels are ours, so that there are few of them. */
export class Counters {
  readonly #requests = new Counter();
  readonly #operations = new Counter();

  /** Counts a request by its route and its status. */
  request(route: RouteName | 'none', status: number): void {
    this.#requests.add({ route, status: String(status) });
  }

  /** Counts an operation that has ended. */
  event(event: DaemonEvent): void {
    if (event.event !== 'operation' || event.phase === 'begin') return;
    this.#operations.add({ operation: event.what, result: event.phase });
  }

  /** The counts, the state of the daemon, and, unless it cannot be seen, of the host. */
  metrics(
    { state, requests }: Pick<Service, 'state' | 'requests'>,
    seen: Inventory | undefined,
    { version, streams }: { readonly version: string; readonly streams: number },
  ): Metric[] {
    const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
      name: `pvusb_${name}`,
      help,
      type: 'gauge',
      samples,
    });
    const states = ['starting', 'ready', 'unreachable'] as const;
    return [
      gauge('build_info', 'The version of pvusb.', [{ labels: { version }, value: 1 }]),
      gauge(
        'state',
        'State of the daemon: 1 for the current one.',
        states.map((one) => ({ labels: { state: one }, value: Number(one === state) })),
      ),
      gauge('requests_waiting', 'Devices waiting for approval.', [{ value: requests.length }]),
      gauge('event_streams', 'Open event streams.', [{ value: streams }]),
      gauge('resident_bytes', 'Resident memory of the daemon.', [{ value: process.memoryUsage.rss() }]),
      {
        ...counter('http_requests_total', 'Requests, by route and status.'),
        samples: this.#requests.samples,
      },
      { ...counter('operations_total', 'Finished operations.'), samples: this.#operations.samples },
      ...(seen ? hostMetrics(seen, gauge) : []),
    ];
  }
}

function counter(name: string, help: string): Omit<Metric, 'samples'> {
  return { name: `pvusb_${name}`, help, type: 'counter' };
}

function hostMetrics(
  seen: Inventory,
  gauge: (name: string, help: string, samples: readonly Sample[]) => Metric,
): Metric[] {
  const devices = seen.devices.filter(({ kind }) => kind === 'device');
  const lent = new Map<string, number>();
  for (const controller of seen.controllers) {
    for (const port of allPorts(controller)) {
      const state = portState(seen, { controller, port });
      if (state !== undefined) lent.set(state, (lent.get(state) ?? 0) + 1);
    }
  }
  return [
    gauge('domains', 'Live domains.', [{ value: seen.domains.filter(({ alive }) => alive).length }]),
    gauge('controllers', 'USB controllers of domains.', [{ value: seen.controllers.length }]),
    gauge(
      'attached_devices',
      'Attached devices by state.',
      [...lent].map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge(
      'device_info',
      'USB devices of the host, without hubs, and the guests that have them.',
      devices.map((device) => ({
        labels: {
          busid: device.busid,
          id: `${device.vendorId}:${device.productId}`,
          name: describeDevice(device),
          guest: describeGuests(seen, device) ?? '',
        },
        value: 1,
      })),
    ),
  ];
}
