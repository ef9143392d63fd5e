/**
 * Prints everything below a path of xenstore, and whatever changes there, until Ctrl-C. Uses only the xenstore client:
 * `node examples/watch-path.ts /local/domain/0/backend/vusb`
 */
import { openXenstore, type XenstoreClient } from 'pvusb/xenstore';

const [root = '/local/domain/0/backend/vusb'] = process.argv.slice(2);

await using xenstore = await openXenstore();
const watch = await xenstore.watch(root);
// Ends the loop below.
process.once('SIGINT', () => watch.close());

// A watch fires once when it is set. Changes that arrive together come in one batch, each path once.
for await (const paths of watch) {
  for (const path of paths) await print(xenstore, path);
}

async function print(store: XenstoreClient, path: string): Promise<void> {
  const [value, children] = await Promise.all([store.read(path), store.directory(path)]);
  if (value === undefined) console.log(`${path} does not exist`);
  else console.log(`${path} = ${JSON.stringify(value)}`);
  // Requests made together are sent together.
  await Promise.all((children ?? []).map((name) => print(store, `${path}/${name}`)));
}
