// Writes V8's code for the pieces in a folder, or checks it. Run by the Node that will read it (pieces.js).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const [, , step, folder] = process.argv;

for (const name of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
  const source = readFileSync(join(folder, name), 'latin1');
  const file = join(folder, name.replace(/\.js$/, '.code'));
  if (step === 'write') {
    // All functions, not only those that run at once: a command ends before compiling them lazily would pay off. Reset
    // before the code is written, since V8 refuses what was made with settings other than its own.
    setFlagsFromString('--no-lazy');
    const script = new Script(source, { filename: `./${name}` });
    setFlagsFromString('--lazy');
    writeFileSync(file, script.createCachedData());
  } else {
    const script = new Script(source, { filename: `./${name}`, cachedData: readFileSync(file) });
    if (script.cachedDataRejected) throw new Error(`V8 refuses its own code for ${name}`);
  }
}
