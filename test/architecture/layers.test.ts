/** Who may import whom: the tables of ARCHITECTURE.md, checked against the sources. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLOORS, type Floor, type Room } from './map.js';
import { none } from './none.js';
import { ALL, BESIDE, IMPORTS, namesIn, readProjectFile, SRC_IMPORTS } from './sources.js';

/** The files of other folders that the simulator may use; of some others it may use the types. */
const SIM_MAY_USE = /^src\/(xenstore\/(wire|path|permissions)|qmp\/wire|usbif\/layout|async\/[a-z]+)\.ts$/;
const SIM_MAY_KNOW = /^src\/(xenstore|sysfs|qmp|hostuse)\/|^src\/pvusb\/model\/inventory\.ts$/;

/** The library files that load a package, and which package. */
const PACKAGES: Readonly<Record<string, string>> = {
  'src/linux/library.ts': 'koffi',
};

function roomOf({ rooms }: Floor, path: string): Room | undefined {
  return rooms.find((room) => path.startsWith(`${room.path}/`));
}

for (const floor of FLOORS) {
  const { folder, rooms } = floor;
  describe(folder === '' ? 'the folders of the project' : `the folders of ${folder}`, () => {
    it('are those of the map', () => {
      const there =
        folder === ''
          ? ['src', ...BESIDE].flatMap((name) =>
              name === 'src' ? namesIn('src').map((entry) => `src/${entry.name}`) : name,
            )
          : namesIn(folder)
              .filter(({ name, isFolder }) => isFolder && hasCode(`${folder}/${name}`))
              .map(({ name }) => `${folder}/${name}`);
      assert.deepEqual(there.toSorted(), rooms.map(({ path }) => path).toSorted());
    });

    it('import only what the map allows', () => {
      const broken = IMPORTS.filter(({ from, target, isType }) => {
        const [own, other] = [roomOf(floor, from), roomOf(floor, target)];
        if (!own || own === other || own.mayImport.includes(other?.path ?? '')) return false;
        if (own.path === 'src/sim' && other)
          return !(SIM_MAY_USE.test(target) || (isType && SIM_MAY_KNOW.test(target)));
        // A folder does not know what is above it, except for the files next to the top folders.
        return other !== undefined || (folder !== '' && target.startsWith(`${folder}/`));
      });
      none(
        broken.map(({ from, target, isType }) => `${from} imports ${isType ? 'types of ' : ''}${target}`),
        'imports against the map',
      );
    });
  });

  it(`the folders of ${folder || 'the project'} have no cycle`, () => {
    const order = rooms.filter(({ mayImport }) => mayImport.length < rooms.length);
    const broken = order.flatMap((room, at) =>
      order
        .slice(at)
        .filter((later) => room.mayImport.includes(later.path))
        .map((later) => `${room.path} comes before ${later.path}, which it may import`),
    );
    none(broken, 'not in one direction');
  });

  it(`the map of ${folder || 'the project'} allows nothing that is not needed`, () => {
    const needed = new Set(
      IMPORTS.map(({ from, target }) => `${roomOf(floor, from)?.path} ${roomOf(floor, target)?.path}`),
    );
    const isListed = ({ mayImport }: Room): boolean => mayImport.length < rooms.length;
    none(
      rooms
        .filter(isListed)
        .flatMap(({ path, mayImport }) =>
          mayImport.filter((other) => !needed.has(`${path} ${other}`)).map((other) => `${path}: ${other}`),
        ),
      'allowed, but never imported',
    );
  });
}

function hasCode(folder: string): boolean {
  return ALL.some(({ path }) => path.startsWith(`${folder}/`) && /\.(ts|js)$/.test(path));
}

describe('imports', () => {
  it('are of existing files', () => {
    const known = new Set(ALL.map(({ path }) => path));
    const own = IMPORTS.filter(
      ({ target }) => /^[a-z]+\/.*\.(ts|js)$/.test(target) && !target.includes('node_modules'),
    );
    assert.ok(own.length > 100, 'the imports are found at all');
    none(
      own
        .filter(({ from, target }) => !known.has(target) && !isMade(from, target))
        .map(({ from, target }) => `${from}: ${target}`),
      'imports of what does not exist',
    );
  });

  it('have no cycle, not even of types', () => {
    none(circles(), 'files that import each other');
  });

  it('of the command line use what other folders offer, and nothing inside them', () => {
    const inside = SRC_IMPORTS.filter(
      ({ from, target }) =>
        from.startsWith('src/cli/') && /^src\/(?!cli\/)/.test(target) && !target.endsWith('/index.ts'),
    );
    none(
      inside.map(({ from, target }) => `${from} imports ${target}`),
      'imports past an index',
    );
  });

  it('of packages occur only in the command line, for worlds and for the schemas of the API, except for those listed', () => {
    const packages = SRC_IMPORTS.filter(
      ({ target }) => !target.startsWith('node:') && !target.endsWith('.ts'),
    );
    const { dependencies, devDependencies } = JSON.parse(readProjectFile('package.json')) as {
      readonly dependencies: object;
      readonly devDependencies: object;
    };
    none(
      packages
        .filter(({ from, target }) => !/^src\/(cli|sim|api)\//.test(from) && PACKAGES[from] !== target)
        .map(({ from, target }) => `${from}: ${target}`),
      'packages in a library',
    );
    const nameOf = (target: string): string =>
      target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/');
    const usedBy = (isCli: boolean): string[] => {
      const used = packages.filter(({ from }) => from.startsWith('src/cli/') === isCli);
      return [...new Set(used.map(({ target }) => nameOf(target)))].sort();
    };
    // The program is bundled: whoever installs it needs only what the libraries load.
    assert.deepEqual(
      usedBy(false),
      Object.keys(dependencies).sort(),
      'packages of libraries, and dependencies',
    );
    none(
      usedBy(true).filter((name) => !(name in { ...dependencies, ...devDependencies })),
      'packages of the command line that are not installed',
    );
  });
});

/** Scripts run what the compiler makes from the sources. */
function isMade(from: string, target: string): boolean {
  return from.startsWith('scripts/') && /^(dist|build)\//.test(target);
}

/** Strongly connected files (Tarjan), one line per cycle. */
function circles(): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, target } of IMPORTS) targets.set(from, [...(targets.get(from) ?? []), target]);
  const found: string[] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (path: string): void => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const target of targets.get(path) ?? []) {
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path)!, low.get(target)!));
    }
    if (low.get(path) !== index.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) found.push(circle.join(', '));
  };
  for (const path of targets.keys()) if (!index.has(path)) visit(path);
  return found;
}
