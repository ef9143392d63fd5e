// The program as esbuild bundles: dist/cli, and what packages are made from.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The project's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** The version of this program. */
export const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

/** What every bundle has in common. */
export const options = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minify: true,
  // The licences of what is in a bundle stand beside it, in full (third-party.js).
  legalComments: 'none',
  define: { PVUSB_VERSION: JSON.stringify(version) },
  // Native: it finds its binary next to its own files.
  external: ['koffi'],
};

/** commander is CommonJS and loads Node's own modules with require. */
export const requiring = {
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

/** What main.cjs loads only when it is needed, by the path of its source: Node reads all of a file, used or not. */
const PARTS = { 'usb-list': 'xl/usb-list', xl: 'xl/commands' };

/** Gives each part a file of its own, which is CommonJS and loaded with `require`, sooner than with `import`. */
const parts = {
  name: 'parts',
  setup({ onResolve, onLoad }) {
    for (const [name, source] of Object.entries(PARTS)) {
      onResolve({ filter: new RegExp(`^\\./${source}\\.js$`) }, () => ({ path: name, namespace: 'part' }));
      onResolve({ filter: new RegExp(`^\\./${name}\\.cjs$`) }, ({ path }) => ({ path, external: true }));
    }
    onLoad({ filter: /^/, namespace: 'part' }, ({ path }) => ({
      contents: `module.exports = require('./${path}.cjs');`,
    }));
  },
};

/**
 * Bundles the program into a folder, with esbuild's options changed by `changes`. Few files for xl's commands, which
 * scripts call often; the others are loaded in pieces, as they are needed. Gives esbuild's metafiles: what came in.
 */
export async function bundleProgram(outdir, changes) {
  // CommonJS, since Node starts that some milliseconds sooner.
  const common = { ...options, ...changes, metafile: true, absWorkingDir: root };
  const short = (entryPoints, plugins) =>
    build({
      ...common,
      banner: {},
      outdir,
      format: 'cjs',
      entryPoints,
      outExtension: { '.js': '.cjs' },
      external: [...options.external, './program.js'],
      plugins,
    });
  const cli = `${root}/src/cli`;
  const made = await Promise.all([
    short({ main: `${cli}/main.ts` }, [parts]),
    short(
      Object.fromEntries(Object.entries(PARTS).map(([name, source]) => [name, `${cli}/${source}.ts`])),
      [],
    ),
    build({
      ...common,
      outdir,
      entryPoints: [`${cli}/program.ts`],
      splitting: true,
      chunkNames: '[name]-[hash]',
    }),
  ]);
  return made.map(({ metafile }) => metafile);
}
