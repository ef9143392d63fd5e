/** The plan for devices that nobody has and no driver serves. */
import type { UsbDevice } from '../../sysfs/device.js';
import type { Plan, Step } from '../model/plan.js';

/** Asks the kernel for drivers. It is not a failure if it has none for some of them. */
export function planRevive(devices: readonly UsbDevice[]): Plan {
  const steps = devices.flatMap(({ busid, interfaces }) =>
    interfaces
      .filter(({ driver }) => driver === undefined)
      .map(
        ({ id }): Step => ({
          why: `find a driver for ${busid}`,
          act: { do: 'restore', interface: id },
          goOn: true,
        }),
      ),
  );
  return {
    title: `find drivers for ${devices.map(({ busid }) => busid).join(', ')}`,
    steps,
    onFailure: 'stop',
  };
}
