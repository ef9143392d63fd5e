/** QEMU's object model: the devices that have an id, and their properties. */
import type { QmpCallOptions, QmpCommands } from './client.js';
import type { JsonValue } from './wire.js';

/** Where QEMU keeps the devices that were given an id. */
export const PERIPHERALS = '/machine/peripheral';

/**
 * One property of a device that has an id.
 *
 * @throws {QmpError} `refused` with class `DeviceNotFound` when there is none with this id, `GenericError` when it has
 *   no such property; otherwise as {@link QmpClient.execute}
 */
export function propertyOf(
  qmp: QmpCommands,
  id: string,
  property: string,
  options?: QmpCallOptions,
): Promise<JsonValue> {
  return qmp.execute('qom-get', { path: `${PERIPHERALS}/${id}`, property }, options);
}
