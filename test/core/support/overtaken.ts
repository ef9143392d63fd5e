/** A host on which something happens in the middle of a transaction. */
import type { Host } from '../../../src/pvusb/index.js';

/** A host whose next transaction is overtaken: `act` happens after its last reading, before it is committed. */
export function overtaken(host: Host, act: () => Promise<void>): Host {
  let isDone = false;
  const { xenstore } = host;
  const transaction: typeof xenstore.transaction = (body, options) =>
    xenstore.transaction(async (nodes) => {
      const result = await body(nodes);
      if (!isDone) {
        isDone = true;
        await act();
      }
      return result;
    }, options);
  const replaced = new Proxy(xenstore, {
    get: (target, name) => {
      if (name === 'transaction') return transaction;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...host, xenstore: replaced };
}
