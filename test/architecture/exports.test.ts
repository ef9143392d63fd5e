/** What is exported is used: by another file, or by users of the package. */
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { none } from './none.js';
import { ALL, exportsOf, IMPORTS, readProjectFile } from './sources.js';

/** The files that package.json offers to the users of the package, and those that scripts make programs from. */
function publicFiles(): string[] {
  const { exports } = JSON.parse(readProjectFile('package.json')) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  const scripts = ALL.filter(({ path }) => path.startsWith('scripts/')).map(({ text }) => text);
  const bundled = scripts.flatMap((text) =>
    [...text.matchAll(/\/(src\/[\w/-]+\.ts)`/g)].map(([, path]) => path!),
  );
  const offered = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string'
      ? []
      : join(entry.default)
          .replace(/^dist\//, 'src/')
          .replace(/\.js$/, '.ts'),
  );
  return [...offered, ...bundled];
}

/** `file name` of every export that is imported anywhere, followed through the files that only re-export it. */
function usedExports(): ReadonlySet<string> {
  const declared = new Map(ALL.map((source) => [source.path, exportsOf(source)]));
  const passedOn = new Map<string, typeof IMPORTS>();
  for (const one of IMPORTS) {
    if (one.isPassedOn) passedOn.set(one.from, [...(passedOn.get(one.from) ?? []), one]);
  }
  const used = new Set<string>();
  const use = (path: string, name: string): void => {
    const key = `${path} ${name}`;
    if (used.has(key)) return;
    used.add(key);
    if (name === '*') for (const own of declared.get(path) ?? []) use(path, own);
    for (const { target, names } of passedOn.get(path) ?? []) {
      if (name === '*') for (const each of names) use(target, each);
      else if (names.includes(name)) use(target, name);
      else if (names.includes('*') && provides(target, name)) use(target, name);
    }
  };
  const provides = (path: string, name: string): boolean =>
    (declared.get(path) ?? []).includes(name) ||
    (passedOn.get(path) ?? []).some(
      ({ target, names }) => names.includes(name) || (names.includes('*') && provides(target, name)),
    );
  for (const { target, names, isPassedOn } of IMPORTS) {
    if (!isPassedOn) for (const name of names) use(target, name);
  }
  for (const path of publicFiles()) use(path, '*');
  return used;
}

describe('exports', () => {
  it('are imported somewhere', () => {
    const used = usedExports();
    const unused = ALL.filter(({ path }) => /\.(ts|js)$/.test(path)).flatMap((source) =>
      exportsOf(source)
        .filter((name) => !used.has(`${source.path} ${name}`))
        .map((name) => `${source.path}: ${name}`),
    );
    none(unused, 'exported, but never imported');
  });
});
