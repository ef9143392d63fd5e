// Builds the page of the daemon into dist/web, and says how large it is.
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './bundle.js';

/** What the page may weigh, in bytes as it is sent by a proxy that compresses. */
const GZIP_MAX = 60 * 1024;

/** Builds it; gives esbuild's metafile: what came in. */
export async function buildPage(outdir = `${root}/dist/web`) {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: ['chrome120', 'firefox121', 'safari17.2'],
    minify: true,
    legalComments: 'none',
    metafile: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: {},
    entryPoints: { app: `${root}/web/main.tsx`, 'app-style': `${root}/web/app.css` },
    outdir,
    entryNames: '[name]',
  });
  copyFileSync(`${outdir}/app-style.css`, `${outdir}/app.css`);
  rmSync(`${outdir}/app-style.css`);
  for (const name of ['index.html', 'icon.svg']) copyFileSync(`${root}/web/${name}`, `${outdir}/${name}`);
  const sizes = ['index.html', 'app.js', 'app.css', 'icon.svg'].map((name) => {
    const bytes = readFileSync(`${outdir}/${name}`);
    return { name, plain: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
  });
  const sum = (key) => sizes.reduce((total, one) => total + one[key], 0);
  const kilo = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
  console.log(`The page: ${kilo(sum('gzip'))} gzipped, ${kilo(sum('plain'))} uncompressed.`);
  if (sum('gzip') > GZIP_MAX) throw new Error(`the page has more than ${kilo(GZIP_MAX)} gzipped`);
  return metafile;
}
