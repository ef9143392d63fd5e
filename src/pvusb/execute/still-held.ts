/** The error for a controller that is to be removed but is not let go of. */
import { PvusbError } from '../model/errors.js';
import type { ControllerId } from '../model/layout.js';
import { capitalise, type Named, nameController } from '../model/wording.js';

/** The error, with what has been done and what to do next. */
export function stillHeld(named: Named, where: ControllerId, sentence: string, cause: unknown): PvusbError {
  return new PvusbError('state-timeout', sentence, {
    where,
    cause,
    leftOver: [
      `${capitalise(nameController(named, where))} is being removed and takes no more devices; those that it had are back with the host.`,
    ],
    remedy: 'Remove it again when the guest responds, or use the option destroy, which does not wait for it.',
  });
}
