/** A store that is reached only through the wire protocol, for the simulated host's actors. */
import type { ActorStore } from '../../src/sim/index.js';
import type { XenstoreClient } from '../../src/xenstore/index.js';

/** What actors need from a store, through the product's client. */
export function clientStore(client: XenstoreClient): ActorStore {
  return {
    read: (path) => client.read(path),
    directory: (path) => client.directory(path),
    write: (path, value) => client.write(path, value),
    mkdir: (path) => client.mkdir(path),
    rm: (path) => client.rm(path),
    setPermissions: (path, permissions) => client.setPermissions(path, permissions),
    writeExisting: (path, value) =>
      client.transaction(async (view) => {
        const there = (await view.read(path)) !== undefined;
        if (there) await view.write(path, value);
        return there;
      }),
    watch: async (path, onEvent) => {
      const watch = await client.watch(path);
      const listening = (async () => {
        for await (const paths of watch) for (const changed of paths) onEvent(changed);
      })().catch(() => undefined); // The connection went away: there is nothing more to report.
      return async () => {
        await watch.close();
        await listening;
      };
    },
  };
}
