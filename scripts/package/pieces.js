// The program in pieces kept inside an executable: JavaScript, and V8's code for it.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { bundleProgram, root } from '../bundle.js';
import { bundledPackages } from '../third-party.js';
import { fail, workshop } from './tools.js';

/**
 * Makes the pieces; gives their files by their names, and the folders of the packages that are in them. `main.js`
 * begins, and loads the others when they are needed; `<name>.code` is what V8 has compiled a piece to, by `runNode`,
 * which runs the Node that will read it.
 */
export async function makePieces(runNode) {
  const folder = join(workshop, 'pieces');
  rmSync(folder, { recursive: true, force: true });
  const metafiles = await bundleProgram(folder, { target: 'node24' });
  for (const name of readdirSync(folder)) {
    const made = readFileSync(join(folder, name), 'utf8').replace(/^#!.*\n/, '');
    rmSync(join(folder, name));
    writeFileSync(join(folder, name.replace(/\.cjs$/, '.js')), await piece(made));
  }
  compile(folder, runNode);
  const pieces = Object.fromEntries(readdirSync(folder).map((name) => [name, join(folder, name)]));
  return { pieces, packages: bundledPackages(metafiles) };
}

/**
 * A bundle as a function: pieces load each other through its `require`, since an executable has no files for `import`
 * to find.
 */
async function piece(source) {
  const { code, warnings } = await transform(source, {
    format: 'cjs',
    target: 'node24',
    platform: 'node',
    minify: true,
    supported: { 'dynamic-import': false },
  });
  // The executable reads one byte per character.
  if (warnings.length > 0 || /[^\0-\x7f]/.test(code)) fail('a piece of the program cannot be packed');
  return `(function(exports,require,module){${code}})`;
}

/** Compiles with the package's Node: V8 accepts only its own code. */
function compile(folder, runNode) {
  const program = join(root, 'scripts', 'package', 'compile.js');
  // What V8 writes depends on its random numbers.
  for (const step of ['write', 'check']) runNode(['--random-seed=1', program, step, folder], { env: {} });
}
