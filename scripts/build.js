// Builds dist/: the library with the TypeScript compiler, the program as one bundle (a process that starts often must
// not load a hundred files). With --unchecked the compiler does not check types, for a caller who has them checked.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';
import { bundleProgram, options, requiring, root, version } from './bundle.js';
import { makeLauncher } from './launcher.js';
import { buildPage } from './page.js';
import { sourceSeconds } from './source-date.js';
import { bundledPackages, formatNotices } from './third-party.js';

const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');

rmSync(`${root}/dist`, { recursive: true, force: true });
const unchecked = process.argv.includes('--unchecked') ? ['--noCheck'] : [];
const compiled = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...unchecked], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
rmSync(`${root}/dist/cli`, { recursive: true, force: true });
rmSync(`${root}/dist/.tsbuildinfo`, { force: true });

const metafiles = await bundleProgram(`${root}/dist/cli`, requiring);
const page = await buildPage();
writeFileSync(
  `${root}/dist/cli/THIRD-PARTY-LICENCES.txt`,
  formatNotices(bundledPackages([...metafiles, page])),
);
chmodSync(`${root}/dist/cli/main.cjs`, 0o755);

if (!makeLauncher(`${root}/build/pvusb-launch`, `${root}/dist/cli/main.cjs`))
  console.error('There is no C compiler: the launcher is not made.');

// The man page is generated from the commands themselves.
const man = `${root}/build/man.mjs`;
await build({ ...options, ...requiring, entryPoints: [`${root}/src/cli/man.ts`], outfile: man });
const { formatManPage, formatManDocument, MAN_DOCUMENTS } = await import(`file://${man}`);
mkdirSync(`${root}/dist/man`);
const date = new Date(sourceSeconds() * 1000).toISOString().slice(0, 10);
const errors = readFileSync(`${root}/docs/errors.md`, 'utf8');
writeFileSync(`${root}/dist/man/pvusb.1`, formatManPage({ version, date, errors }));
for (const { name, section, summary, from } of MAN_DOCUMENTS) {
  const text = readFileSync(`${root}/docs/${from}`, 'utf8');
  writeFileSync(
    `${root}/dist/man/${name}.${section}`,
    formatManDocument({ name, section, summary, text, version, date }),
  );
}
