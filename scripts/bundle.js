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

/**
 * Bundles the program into a folder, with esbuild's options changed by `changes`. One file for xl's commands, which
 * scripts call often; the others are loaded in pieces, as they are needed. Gives esbuild's metafiles: what came in.
 */
export async function bundleProgram(outdir, changes) {
  // CommonJS, since Node starts that some milliseconds sooner.
  const common = { ...options, ...changes, metafile: true, absWorkingDir: root };
  const short = await build({
    ...common,
    banner: {},
    outdir,
    format: 'cjs',
    entryPoints: [`${root}/src/cli/main.ts`],
    outExtension: { '.js': '.cjs' },
    external: [...options.external, './program.js'],
  });
  const others = await build({
    ...common,
    outdir,
    entryPoints: [`${root}/src/cli/program.ts`],
    splitting: true,
    chunkNames: '[name]-[hash]',
  });
  return [short.metafile, others.metafile];
}
