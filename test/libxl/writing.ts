/** A process that writes 4 KB to a domain's file and says what came of it: `writing.js ROOT`. */
import { readdirSync } from 'node:fs';
import { errnoOf } from '../../src/libxl/errors.js';
import { isLibxlError, openUserdata, SavedConfig } from '../../src/libxl/index.js';
import { DOMAIN } from './folder.js';

// The system's signal for a file that becomes too large; with a handler there is EFBIG instead.
process.on('SIGXFSZ', () => undefined);

const root = process.argv[2]!;
const large = SavedConfig.parse(Buffer.from(`{"a": "${'x'.repeat(4096)}"}\n\0`));
await openUserdata({ root }).withLock(DOMAIN, {}, async ({ write }) => {
  const error: unknown = await write(large).catch((failure: unknown) => failure);
  const told = isLibxlError(error) ? `${error.code} ${errnoOf(error.cause)}` : String(error);
  const files = readdirSync(root).map((name) => name.replace(/^userdata-(.).*/, '$1'));
  process.stdout.write(`${told}\n${files.sort().join()}\n`);
});
