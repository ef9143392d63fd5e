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
  legalComments: 'linked',
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

/**
 * Bundles the program into a folder, with esbuild's options changed by `changes`. One file for xl's commands, which
 * scripts call often; the others are loaded in pieces, as needed.
 */
export async function bundleProgram(outdir, changes) {
  // CommonJS, since Node starts that a few milliseconds faster.
  await build({
    ...options,
    ...changes,
    banner: {},
    outdir,
    format: 'cjs',
    entryPoints: [`${root}/src/cli/main.ts`],
    outExtension: { '.js': '.cjs' },
    external: [...options.external, './program.js'],
  });
  await build({
    ...options,
    ...changes,
    outdir,
    entryPoints: [`${root}/src/cli/program.ts`],
    splitting: true,
    chunkNames: '[name]-[hash]',
  });
}
