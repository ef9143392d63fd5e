/** The machine's package lists, which a new machine does not have yet, and which are out of date on an old one. */
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';

/** Does something with apt's lists. If it fails, root gets new lists and tries once more. */
export async function withPackageLists<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (process.getuid?.() !== 0) throw error;
    progress('getting new package lists');
    await run('apt-get', ['update', '-qq']);
    return body();
  }
}
