// Shows that the plan scripts would notice if a planner left something out: removes every fact, edit, step and undo
// from the compiled planners, one at a time, and makes all plans in test/fixtures/plan-scripts again. `npm run
// test:mutation`. A mutant is on only while a plan is made, so every host is set up only once.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { filesBelow } from './files.js';
import { instrument, isPlanner, listFunctions, treeOf } from './mutants.js';

const root = join(import.meta.dirname, '..');
const scripts = join(root, 'test', 'fixtures', 'plan-scripts');

const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const copy = mkdtempSync(join(tmpdir(), 'pvusb-mutants-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
const mutants = await prepare();

const begun = new Set();
let isOn;
globalThis.leftOut = (number) => {
  begun.add(number);
  return number === isOn;
};

const alive = new Map(mutants.map((mutant) => [mutant.number, mutant]));
const reached = new Set();
const { playScript } = await import(pathToFileURL(join(copy, 'build/test/core/plan/script.js')).href);
for (const file of filesBelow(scripts, '.txt')) {
  const script = readFileSync(file, 'utf8');
  const played = await playScript(script, async (plan) => {
    begun.clear();
    const text = await plan();
    for (const number of [...begun]) {
      reached.add(number);
      if (alive.has(number) && (await isNoticed(number, plan, text))) alive.delete(number);
    }
    return text;
  });
  if (played === script) continue;
  console.error(`${relative(root, file)} has other plans: npm test -- core/plan`);
  process.exit(1);
}
for (const { number, place, text } of alive.values()) {
  console.log(`${place}: ${reached.has(number) ? 'nothing notices without' : 'nothing reaches'} ${text}`);
}
const { length } = mutants;
console.log(`${length} mutants, ${length - alive.size} killed, ${alive.size} survived`);
process.exitCode = length > 0 && alive.size === 0 ? 0 : 1;

/** Whether this mutant changes a plan, or prevents it. */
async function isNoticed(number, plan, text) {
  isOn = number;
  try {
    return (await plan()) !== text;
  } catch {
    return true;
  } finally {
    isOn = undefined;
  }
}

/** Copies what was compiled, with all mutants included, and returns them. */
async function prepare() {
  for (const folder of ['src', 'test', 'lab'])
    cpSync(join(root, 'build', folder), join(copy, 'build', folder), { recursive: true });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const files = filesBelow(join(copy, 'build/src/pvusb'), '.js').map((file) => {
    const code = readFileSync(file, 'utf8');
    return { file, code, tree: treeOf(code) };
  });
  const lists = listFunctions(files.map(({ tree }) => tree));
  let count = 0;
  return files
    .filter(({ file, tree }) => file.includes('/pvusb/plan/') || isPlanner(tree))
    .flatMap(({ file, code, tree }) => {
      const made = instrument(code, tree, lists, () => count++);
      writeFileSync(file, made.code);
      const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
      return made.mutants.map(({ number, start, text }) => {
        const before = code.slice(0, start).split('\n');
        const { originalLine } = map.findEntry(before.length - 1, before.at(-1).length);
        const source = relative(join(copy, 'build'), file).replace(/\.js$/, '.ts');
        return {
          number,
          place: `${source}:${originalLine + 1}`,
          text: text.replace(/\s+/g, ' ').slice(0, 100),
        };
      });
    });
}
