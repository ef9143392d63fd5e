// Lists files; Node 20 has no glob of its own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The files below `folder` whose names end in `ending`, sorted. */
export function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}
