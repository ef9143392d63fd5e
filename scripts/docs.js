// Generates docs/api.md and docs/api/ from the doc comments of what the package exports: `npm run docs`. With --check it only
// checks that they are up to date. Either way it fails when a type that an export needs is not exported.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { root } from './bundle.js';
import { exportedDeclarations } from './docs/declarations.js';
import { formatPage } from './docs/page.js';
import { installTools } from './install-tools.js';

const isCheck = process.argv.includes('--check');
const tools = join(root, 'apidocs');
const workshop = join(root, 'build', 'docs');
const types = join(workshop, 'types');
const compilerOptions = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
  strict: true,
  skipLibCheck: true,
};

/** Names in exported declarations that a user of the package can neither make nor needs. */
const INSIDE = new Set(['Connection', 'shortSchema']);

function run(program, args, input) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: 'utf8', input });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr + stdout}`);
  return stdout;
}

const bin = (name) => join(root, 'node_modules', '.bin', name);

/** The entries of the package: `{ entry: 'pvusb/sysfs', folder: 'sysfs' }`. */
function entries() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.entries(exports).flatMap(([path, { types: declared }]) =>
    declared === undefined
      ? []
      : { entry: join('pvusb', path), folder: declared.replace(/^\.\/dist\/|\/index\.d\.ts$/g, '') },
  );
}

/** The declarations of an entry in one text; what they need and the entry does not export is added to `forgotten`. */
function gather({ Extractor, ExtractorConfig }, { entry, folder }, forgotten) {
  const file = join(types, folder, 'index.d.ts');
  const gathered = join(workshop, `${folder}.d.ts`);
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(root, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: file,
      compiler: { overrideTsconfig: { compilerOptions, files: [file] } },
      dtsRollup: { enabled: true, untrimmedFilePath: gathered },
      messages: { extractorMessageReporting: { default: { logLevel: 'warning' } } },
    },
  });
  const { succeeded } = Extractor.invoke(config, {
    localBuild: true,
    messageCallback(message) {
      message.handled = true;
      if (message.logLevel === 'error') throw new Error(message.text);
      const [, name] = /The symbol "(\w+)"/.exec(message.text) ?? [];
      if (message.messageId === 'ae-forgotten-export' && !INSIDE.has(name)) forgotten.push({ entry, name });
    },
  });
  if (!succeeded) throw new Error(`api-extractor failed on ${entry}`);
  return run(bin('biome'), ['format', '--stdin-file-path=src/api.d.ts'], readFileSync(gathered, 'utf8'));
}

const pathOf = ({ folder }) => (folder === 'pvusb' ? 'docs/api.md' : `docs/api/${folder}.md`);

/** Links from one page to the others. */
function linksOf(own, all) {
  const others = all.filter((one) => one !== own);
  const to = (other) => relative(dirname(pathOf(own)), pathOf(other));
  return `Other entries: ${others.map((other) => `[\`${other.entry}\`](${to(other)})`).join(', ')}.`;
}

installTools(tools);
const extractor = createRequire(join(tools, 'package.json'))('@microsoft/api-extractor');
rmSync(workshop, { recursive: true, force: true });
mkdirSync(types, { recursive: true });
run(bin('tsc'), [
  '-p',
  'tsconfig.build.json',
  '--outDir',
  types,
  '--emitDeclarationOnly',
  '--incremental',
  'false',
  '--tsBuildInfoFile',
  'null',
]);

/** Entries that join others, whose types their users have from those. */
const JOINING = new Set(['pvusb/client', 'pvusb/testing']);

const [all, forgotten, stale, offered] = [entries(), [], [], new Set()];
for (const own of all) {
  const text = gather(extractor, own, forgotten);
  for (const [, name] of text.matchAll(
    /^export (?:declare )?(?:abstract )?(?:class|interface|type|const) (\w+)/gm,
  ))
    offered.add(name);
  const declared = exportedDeclarations(text);
  const index = readFileSync(join(root, 'src', own.folder, 'index.ts'), 'utf8');
  const page = formatPage({ entry: own.entry, index, declared, links: linksOf(own, all) });
  const path = join(root, pathOf(own));
  if (existsSync(path) && readFileSync(path, 'utf8') === page) continue;
  stale.push(pathOf(own));
  if (isCheck) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, page);
}
const missing = forgotten.filter(({ entry, name }) => !(JOINING.has(entry) && offered.has(name)));
for (const { entry, name } of missing)
  console.error(`# not exported, although an export needs it: ${entry}: ${name}`);
for (const path of stale) console.log(`# ${path} ${isCheck ? 'is out of date: npm run docs' : 'is updated'}`);
process.exit(missing.length > 0 || (isCheck && stale.length > 0) ? 1 : 0);
