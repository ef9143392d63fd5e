/** The sources as text: who imports what, and what each file exports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { projectRoot } from '../xenstored/fetch.js';

const ROOT = projectRoot();

/** One file of the project. */
interface Source {
  /** From the project's folder: `src/xenstore/wire.ts`. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and without the contents of strings. */
  readonly code: string;
}

/** One import, or export from another file. */
export interface Import {
  readonly from: string;
  /** `node:fs`, a package, or the path of a source. */
  readonly target: string;
  readonly isType: boolean;
  /** An `export ... from`: it re-exports what it names. */
  readonly isPassedOn: boolean;
  /** The names by which the other file exports them; `*` for all of them. */
  readonly names: readonly string[];
}

/** Reads a file of the project. */
export function readProjectFile(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The names in a folder of the project. */
export function namesIn(folder: string): { readonly name: string; readonly isFolder: boolean }[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    isFolder: entry.isDirectory(),
  }));
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

/** Blanks comments and the contents of strings and regular expressions, so that only code is looked at. */
function codeOf(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[(=,:!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/[a-z]*/g,
    (found) => found.replace(/[^\n]/g, ' '),
  );
}

const IMPORT =
  /^(import|export)\s+(type\s+)?(?:(\*(?:\s+as\s+\w+)?|\w+|\{[^}]*\})\s+from\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;

/** The source of what is imported under a compiled name. */
function sourceOf(path: string, from: string): string {
  if (!/\.tsx?$/.test(from)) return path;
  const bare = path.replace(/\.js$/, '');
  return existsSync(join(ROOT, `${bare}.tsx`)) ? `${bare}.tsx` : `${bare}.ts`;
}

/** The imports of a file, including lazy ones. One whose names are all types counts as an import of types. */
function importsOf({ path, text }: Source): Import[] {
  return [...text.matchAll(IMPORT)].map(([, verb, type, clause = '*', fixed, lazy]) => {
    const written = (fixed ?? lazy)!;
    const target = written.startsWith('.') ? sourceOf(join(dirname(path), written), path) : written;
    const parts = clause.startsWith('{')
      ? clause
          .slice(1, -1)
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name !== '')
      : ['*'];
    const isType = type !== undefined || (clause !== '*' && parts.every((name) => name.startsWith('type ')));
    const names = parts.map((name) => name.replace(/^type\s+/, '').replace(/\s+as\s+.*/, ''));
    return { from: path, target, isType, isPassedOn: verb === 'export', names };
  });
}

const EXPORTED =
  /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|interface|type|const)\s+(\w+)/gm;

/** The names that a file declares and exports. */
export function exportsOf({ text }: Source): string[] {
  return [...new Set([...text.matchAll(EXPORTED)].map(([, name]) => name!))];
}

/** The files of the product. */
export const SRC = filesBelow('src', /\.ts$/);

/** The folders besides `src` that contain code. */
export const BESIDE = ['test', 'web', 'bench', 'lab', 'launcher', 'scripts', 'examples'] as const;

/** Every file of code, whatever its language. */
export const ALL = [...SRC, ...BESIDE.flatMap((folder) => filesBelow(folder, /\.(tsx?|js|mjs|c|py|sh)$/))];

/** All imports of TypeScript and JavaScript. */
export const IMPORTS = ALL.filter(({ path }) => /\.(tsx?|js)$/.test(path)).flatMap(importsOf);

/** The imports of the product only. */
export const SRC_IMPORTS = IMPORTS.filter(({ from }) => from.startsWith('src/'));

/** The lines of code in which a pattern is found, as `path:line: text`. */
export function linesWith(sources: readonly Source[], pattern: RegExp): string[] {
  return sources.flatMap(({ path, code, text }) => {
    const shown = text.split('\n');
    return code
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${shown[at]!.trim()}`] : []));
  });
}
