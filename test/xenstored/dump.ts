/** All of a daemon's store as text. */

import { escapeValue } from '../../src/sim/store/dump.js';
import { MessageType } from '../../src/xenstore/wire.js';
import type { Raw } from './raw.js';

const ASKED = [MessageType.directory, MessageType.read, MessageType.getPermissions];

/**
 * What `xenstore-ls -fp /` prints, in the order of `sort`; in a tenth of the time, since a whole level of the tree is
 * asked for at once. Nodes that disappear meanwhile are left out.
 */
export async function dumpStore(raw: Raw): Promise<string> {
  const lines: string[] = [];
  let level = ['/'];
  while (level.length > 0) {
    const requests = level.flatMap((path) =>
      ASKED.map((type) => ({ type, payload: Buffer.from(`${path}\0`) })),
    );
    const replies = await Promise.all(raw.callAll(requests));
    const below: string[] = [];
    for (const [at, path] of level.entries()) {
      const answers = replies.slice(at * ASKED.length, (at + 1) * ASKED.length);
      if (answers.some(({ type }) => type === MessageType.error)) continue;
      const [names, value, permissions] = answers.map(({ payload }) => payload.toString('latin1'));
      const above = path === '/' ? '' : path;
      for (const name of names!.split('\0')) if (name !== '') below.push(`${above}/${name}`);
      const entries = permissions!.split('\0').filter((entry) => entry !== '');
      if (path !== '/') lines.push(`${path} = "${escapeValue(value!)}"   (${entries.join(',')})\n`);
    }
    level = below;
  }
  return lines.sort().join('');
}
