// Builds dist/: the library by the TypeScript compiler, the program as one bundle (a process that starts often
// must not look for a hundred files).
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');

rmSync(`${root}/dist`, { recursive: true, force: true });
const compiled = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
rmSync(`${root}/dist/cli`, { recursive: true, force: true });
rmSync(`${root}/dist/.tsbuildinfo`, { force: true });

const options = {
  outdir: `${root}/dist/cli`,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minify: true,
  legalComments: 'linked',
  define: { PVUSB_VERSION: JSON.stringify(version) },
  // Native: it finds its binary beside its own files.
  external: ['koffi'],
};
// commander is CommonJS and asks for Node's own modules by require.
const requiring = {
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};
// One file for xl's commands, which scripts call often; the others are loaded in pieces, as they are needed.
// CommonJS, since Node starts that some milliseconds sooner.
await build({
  ...options,
  format: 'cjs',
  entryPoints: [`${root}/src/cli/main.ts`],
  outExtension: { '.js': '.cjs' },
  external: [...options.external, './program.js'],
});
await build({
  ...options,
  entryPoints: [`${root}/src/cli/program.ts`],
  splitting: true,
  chunkNames: '[name]-[hash]',
  ...requiring,
});
chmodSync(`${root}/dist/cli/main.cjs`, 0o755);

// The man page is made from the commands themselves.
const man = `${root}/build/man.mjs`;
await build({
  ...options,
  ...requiring,
  entryPoints: [`${root}/src/cli/man.ts`],
  outdir: undefined,
  outfile: man,
});
const { formatManPage } = await import(`file://${man}`);
mkdirSync(`${root}/dist/man`);
writeFileSync(`${root}/dist/man/pvusb.1`, formatManPage(version));
