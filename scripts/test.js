// Runs everything that must pass: format and lint, the compiler, the build, and the tests.
// `npm test -- core sweep` runs only the folders named. The suites of the lab, which take minutes, are run by
// `npm run test:lab`.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { filesBelow } from './files.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const only = process.argv.slice(2);

function run(what, command, args) {
  console.log(`# ${what}`);
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`# ${what} failed${signal ? ` (${signal})` : ''}`);
    process.exit(status ?? 1);
  }
}

const bin = (name) => `${root}/node_modules/.bin/${name}`;
run('format and lint', bin('biome'), ['check', '--error-on-warnings', '.']);
run('build', process.execPath, ['scripts/build.js']);
run('compile the tests', bin('tsc'), ['-p', 'tsconfig.json']);
// The lab and the packages have commands of their own: `npm run test:lab`, `npm run test:package`.
const files = filesBelow(`${root}/build/test`, '.test.js')
  .filter((file) => !/\/build\/test\/(lab|package)\//.test(file))
  .filter((file) => only.length === 0 || only.some((folder) => file.includes(`/test/${folder}`)));
// Some suites wait for processes and daemons most of the time: one suite more than CPUs keeps these busy.
const suites = `--test-concurrency=${availableParallelism() + 1}`;
run('tests', process.execPath, ['--test', suites, ...files]);
