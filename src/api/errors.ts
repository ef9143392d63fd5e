/** How errors are told over HTTP: the status by the group of the error. */
import { ERROR_KINDS, type ErrorGroup, type PvusbErrorCode } from '../pvusb/model/errors.js';

const STATUS: Readonly<Record<ErrorGroup, number>> = {
  usage: 400,
  refused: 409,
  host: 502,
  moment: 503,
  unfinished: 500,
};

/** Codes for which HTTP has a status of its own. */
const OWN: Partial<Readonly<Record<PvusbErrorCode, number>>> = {
  'not-authenticated': 401,
  'not-permitted': 403,
  'no-such-route': 404,
  'no-such-request': 404,
};

/** The HTTP status of an error. */
export function statusOf(code: PvusbErrorCode): number {
  return OWN[code] ?? STATUS[ERROR_KINDS[code].group];
}

/** The statuses that every operation can answer with besides its own, and what each means. */
export function errorStatuses(): readonly (readonly [status: string, meaning: string])[] {
  return [
    ['400', 'The request makes no sense on any host.'],
    ['401', 'That token is not known.'],
    ['403', 'Not for this role, this guest, this device or this page.'],
    ['404', 'There is no such operation, or no such request.'],
    ['409', 'Refused: nothing was changed.'],
    ['500', 'Something is left over, or this is a bug.'],
    ['502', 'The host does not do what was asked of it.'],
    ['503', 'Try again.'],
  ];
}
