/** The rules of ARCHITECTURE.md that the compiler does not know, held against the sources as text. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { ERROR_KINDS } from '../src/pvusb/model/errors.js';
import { projectRoot } from './xenstored/fetch.js';

const ROOT = projectRoot();

/** What a folder of `src` may import from others. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  async: [],
  xenstore: ['async'],
  sysfs: ['async'],
  qmp: ['async'],
  libxl: ['async'],
  xlcfg: [],
  pvusb: ['async', 'xenstore', 'sysfs', 'qmp', 'libxl'],
  // The simulator is a second reading of the facts: of the code under test it uses the wire formats only.
  sim: [],
  cli: ['async', 'xenstore', 'sysfs', 'qmp', 'libxl', 'xlcfg', 'pvusb', 'sim'],
};

/** The files of other folders that the simulator may use; of some more it may know the types. */
const SIM_MAY_USE = /^src\/(xenstore\/(wire|path|permissions|transport)|qmp\/wire|async\/[a-z]+)\.ts$/;
const SIM_MAY_KNOW = /^src\/(xenstore|sysfs|qmp)\/|^src\/pvusb\/model\/inventory\.ts$/;

/** The files that may touch the world outside of the process, and by what. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  'src/xenstore/socket.ts': ['net'],
  'src/xenstore/device.ts': ['fs/promises'],
  'src/xenstore/open.ts': ['fs/promises'],
  'src/sysfs/node-files.ts': ['fs', 'fs/promises'],
  'src/sysfs/plugs.ts': ['fs', 'fs/promises'],
  'src/sysfs/usbids.ts': ['fs/promises'],
  'src/qmp/socket.ts': ['net'],
  'src/libxl/data-file.ts': ['fs/promises'],
  'src/libxl/lock.ts': ['fs/promises'],
  'src/libxl/holder.ts': ['fs/promises'],
  'src/sim/publish/fifo.ts': ['child_process', 'fs', 'net'],
  'src/sim/publish/store.ts': ['fs', 'net'],
  'src/sim/publish/sysfs.ts': ['fs'],
  'src/sim/publish/qmp.ts': ['fs', 'net'],
  'src/cli/settings-file.ts': ['fs/promises'],
  'src/cli/commands/sim.ts': ['fs/promises', 'net'],
  'src/cli/commands/demo.ts': ['fs/promises'],
};

/** Modules of Node that reach nothing outside of the process. */
const INSIDE = /^(path|os|util|events|url|crypto|buffer|string_decoder|timers(\/promises)?)$/;

/** The files of libraries that load a package, and which. */
const PACKAGES: Readonly<Record<string, string>> = { 'src/libxl/flock.ts': 'koffi' };

const LINES_MAX = 300;

interface Source {
  /** From the project's folder: `src/xenstore/wire.ts`. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and the contents of strings. */
  readonly code: string;
}

function filesBelow(folder: string, ending: RegExp): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => {
      const path = relative(ROOT, join(entry.parentPath, entry.name));
      const text = readFileSync(join(ROOT, path), 'utf8');
      return { path, text, code: codeOf(text) };
    });
}

/** Blanks comments and what stands in strings and regular expressions, so that only code is looked at. */
function codeOf(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[(=,:!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/[a-z]*/g,
    (found) => found.replace(/[^\n]/g, ' '),
  );
}

interface Import {
  readonly from: Source;
  /** `node:fs`, a package, or the path of a source. */
  readonly target: string;
  readonly isType: boolean;
}

const IMPORT = /^(import|export)\s+(type\s+)?(?:[^'"();]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;

function importsOf(source: Source): Import[] {
  return [...source.text.matchAll(IMPORT)].map(([, , type, fixed, lazy]) => {
    const written = (fixed ?? lazy)!;
    const isOwn = written.startsWith('.');
    const target = isOwn ? join(dirname(source.path), written).replace(/\.js$/, '.ts') : written;
    return { from: source, target, isType: type !== undefined };
  });
}

const SRC = filesBelow('src', /\.ts$/);
const ALL = [
  ...SRC,
  ...['test', 'bench', 'lab', 'scripts'].flatMap((folder) => filesBelow(folder, /\.(ts|js|mjs|c|py|sh)$/)),
];
const IMPORTS = SRC.flatMap(importsOf);

/** Fails with a list of what breaks a rule. */
function none(broken: readonly string[], rule: string): void {
  assert.equal(broken.length, 0, `${rule}:\n  ${broken.join('\n  ')}`);
}

/** The lines of code in which a pattern is found, as `path:line: text`. */
function linesWith(sources: readonly Source[], pattern: RegExp): string[] {
  return sources.flatMap(({ path, code, text }) => {
    const shown = text.split('\n');
    return code
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${shown[at]!.trim()}`] : []));
  });
}

describe('the layers', () => {
  it('are the folders of src', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true });
    none(
      folders.filter((entry) => !entry.isDirectory() || !(entry.name in LAYERS)).map(({ name }) => name),
      'in src, but in no row of the table of layers',
    );
  });

  it('import only what is below them', () => {
    const broken = IMPORTS.filter(({ from, target, isType }) => {
      if (!target.startsWith('src/')) return false;
      const [own, other] = [from.path.split('/')[1]!, target.split('/')[1]!];
      if (own === other || LAYERS[own]?.includes(other)) return false;
      if (own === 'sim') return !(SIM_MAY_USE.test(target) || (isType && SIM_MAY_KNOW.test(target)));
      return true;
    });
    none(
      broken.map(({ from, target, isType }) => `${from.path} imports ${isType ? 'types of ' : ''}${target}`),
      'imports against the layers',
    );
  });

  it('import each other by files that are there, and nothing from outside src', () => {
    const known = new Set(SRC.map(({ path }) => path));
    const own = IMPORTS.filter(({ target }) => target.includes('/') && target.endsWith('.ts'));
    assert.ok(own.length > 100, 'the imports are found at all');
    none(
      own.filter(({ target }) => !known.has(target)).map(({ from, target }) => `${from.path}: ${target}`),
      'imports of what is not there',
    );
  });

  it('use packages in the command line and for worlds only, but for those listed', () => {
    const packages = IMPORTS.filter(({ target }) => !target.startsWith('node:') && !target.endsWith('.ts'));
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    none(
      packages
        .filter(({ from, target }) => !/^src\/(cli|sim)\//.test(from.path) && PACKAGES[from.path] !== target)
        .map(({ from, target }) => `${from.path}: ${target}`),
      'packages in a library',
    );
    const used = new Set(
      packages.map(({ target }) =>
        target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
    );
    assert.deepEqual([...used].sort(), Object.keys(dependencies).sort(), 'packages used, and dependencies');
  });
});

describe('the world outside', () => {
  it('is touched by the files listed only', () => {
    const broken = IMPORTS.filter(({ from, target, isType }) => {
      if (!target.startsWith('node:') || isType) return false;
      const module = target.slice('node:'.length);
      return !INSIDE.test(module) && !OUTSIDE[from.path]?.includes(module);
    });
    none(
      broken.map(({ from, target }) => `${from.path} imports ${target}`),
      'not in the list of files that may',
    );
  });

  it('gives its environment to the command line, and to what finds xenstored', () => {
    const libraries = SRC.filter(({ path }) => !/^src\/(cli\/|xenstore\/open\.ts$)/.test(path));
    none(
      linesWith(libraries, /\bprocess\s*\.\s*(env|argv|cwd|exit|exitCode|stdout|stderr|stdin|on|once)\b/),
      'the state of the process',
    );
  });
});

describe('the sources', () => {
  it(`have at most ${LINES_MAX} lines each`, () => {
    const long = ALL.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    none(
      long.filter(({ lines }) => lines > LINES_MAX).map(({ path, lines }) => `${path}: ${lines}`),
      'too long',
    );
  });

  it('have no any, no enum, no namespace, no default export and no silenced compiler', () => {
    const typed = ALL.filter(({ path }) => path.endsWith('.ts'));
    none(
      linesWith(typed, /(?:[:<|&]|=>|\bas|\bextends|\bsatisfies)\s*any\b(?!\s*[:(.])|,\s*any\s*[>,]/),
      'any',
    );
    none(linesWith(typed, /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s+\w/), 'enum');
    none(linesWith(typed, /^\s*(export\s+)?(declare\s+)?(namespace|module)\s+\w/), 'namespace');
    none(linesWith(ALL, /^\s*export\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/), 'default export');
    const silenced = typed.filter(({ path }) => path !== 'test/architecture.test.ts');
    none(
      silenced
        .filter(({ text }) => /@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(text))
        .map(({ path }) => path),
      'silenced',
    );
  });

  it('have no variable of a module: state belongs to somebody', () => {
    none(linesWith(SRC, /^(export\s+)?(let|var)\s/), 'module-level variables');
  });

  it('inherit from Error only, but for the client, which is a view of the store', () => {
    const broken = linesWith(SRC, /\bclass\s+(?:\w+(?:<[^>]*>)?\s+)?extends\s+(?!Error\b)/);
    none(
      broken.filter((line) => !/class XenstoreClient extends StoreView\b/.test(line)),
      'inheritance',
    );
  });

  it('say of every export what it is', () => {
    const declared =
      /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|interface|type|const)\s+\w/;
    const broken = SRC.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      return lines.flatMap((line, at) => {
        if (!declared.test(line)) return [];
        const isOverload = lines[at - 1]?.startsWith('export function') && lines[at - 1]?.endsWith(';');
        return isOverload || lines[at - 1]?.trimEnd().endsWith('*/') ? [] : [`${path}:${at + 1}: ${line}`];
      });
    });
    none(broken, 'without a comment right before it');
  });

  it('have no test that is left out or put off', () => {
    const tests = ALL.filter(({ path }) => path.startsWith('test/') && path.endsWith('.ts'));
    none(
      linesWith(tests, /\b(?:it|test|describe)\s*\.\s*(?:skip|todo|only)\b|\b(?:todo|only)\s*:\s*(?:true|')/),
      'skip, todo or only',
    );
  });
});

describe('the documents', () => {
  it('errors.md lists exactly the codes that there are, with their remedies', () => {
    let text: string;
    try {
      text = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
    } catch {
      return assert.fail('docs/errors.md is not written yet');
    }
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \|(.*)\|([^|]*)\|$/gm)];
    assert.deepEqual(rows.map(([, code]) => code).sort(), Object.keys(ERROR_KINDS).sort());
    const remedies = Object.fromEntries(rows.map(([, code, , remedy]) => [code!, remedy!.trim()]));
    const wanted = Object.entries(ERROR_KINDS).map(([code, { remedy }]) => [code, remedy]);
    assert.deepEqual(remedies, Object.fromEntries(wanted));
  });

  it('name scripts of package.json only', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Readonly<Record<string, string>>;
    };
    const texts = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
    const used = texts.flatMap((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return [...text.matchAll(/\bnpm (?:run (?:--?\w+ )*([\w:-]+)|(test)\b)/g)].map(([, run, test]) => ({
        path,
        script: (run ?? test)!,
      }));
    });
    assert.ok(
      used.some(({ path }) => path === 'README.md'),
      'the README names a script',
    );
    none(
      used
        .filter(({ script }) => !(script in scripts))
        .map(({ path, script }) => `${path}: npm run ${script}`),
      'scripts that are none',
    );
  });
});
