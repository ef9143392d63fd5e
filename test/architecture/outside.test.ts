/** Who touches the world outside the process: the files that the map lists, and nothing that is pure. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLOORS, outsideFiles } from './map.js';
import { none } from './none.js';
import { type Import, linesWith, SRC, SRC_IMPORTS } from './sources.js';

/** Node modules that reach nothing outside the process. */
const INSIDE =
  /^(path|os|util|events|url|crypto|buffer|string_decoder|diagnostics_channel|timers(\/promises)?)$/;

/** Those that pure code may use too; their results depend only on their arguments. */
const PURE = /^(node:(path|util|buffer|string_decoder)|zod)$/;

/** What gives a different answer at another time, or changes what others see. */
const IMPURE =
  /\b(Date\s*\.\s*now|new\s+Date\b|Math\s*\.\s*random|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|fetch|console)\b/;

const OUTSIDE = outsideFiles();

describe('the outside world', () => {
  const touching = SRC_IMPORTS.flatMap(({ from, target, isType }) => {
    const module = target.startsWith('node:') && !isType ? target.slice('node:'.length) : 'path';
    return INSIDE.test(module) ? [] : { from, module };
  });

  it('is touched only by the files listed', () => {
    none(
      touching
        .filter(({ from, module }) => !OUTSIDE.get(from)?.includes(module))
        .map(({ from, module }) => `${from} imports node:${module}`),
      'not in the list of files that may',
    );
  });

  it('is touched by all of the files listed', () => {
    const listed = [...OUTSIDE].flatMap(([from, modules]) => modules.map((module) => `${from}: ${module}`));
    const used = new Set(touching.map(({ from, module }) => `${from}: ${module}`));
    none(
      listed.filter((one) => !used.has(one)),
      'listed, but never imported',
    );
  });

  it('gives its environment only to the command line, and to what finds the host and its xenstored', () => {
    const libraries = SRC.filter(
      ({ path }) => !/^src\/(cli\/|xenstore\/open\.ts$|pvusb\/observe\/open-host\.ts$)/.test(path),
    );
    none(
      linesWith(libraries, /\bprocess\s*\.\s*(env|argv|cwd|exit|exitCode|stdout|stderr|stdin|on|once)\b/),
      'the state of the process',
    );
  });
});

describe('what is pure', () => {
  const byFile = new Map<string, Import[]>();
  for (const one of SRC_IMPORTS) byFile.set(one.from, [...(byFile.get(one.from) ?? []), one]);
  const impure = new Map(
    SRC.map(({ path, code }) => [
      path,
      code
        .split('\n')
        .find((line) => IMPURE.test(line))
        ?.trim(),
    ]),
  );

  /** The first path from a file to something impure, through imports of values. */
  const wayOut = (path: string, seen: Set<string>): string | undefined => {
    seen.add(path);
    const own = impure.get(path);
    if (own !== undefined) return `${path} (${own})`;
    for (const { target, isType } of byFile.get(path) ?? []) {
      if (isType || seen.has(target)) continue;
      const isOwn = target.startsWith('src/');
      const way = isOwn ? wayOut(target, seen) : PURE.test(target) ? undefined : target;
      if (way !== undefined) return `${path} -> ${way}`;
    }
    return undefined;
  };

  const pure = FLOORS.flatMap(({ rooms }) => rooms).filter(({ isPure }) => isPure);
  for (const { path: folder } of pure) {
    it(`${folder} reaches nothing outside its arguments`, () => {
      const files = SRC.filter(({ path }) => path.startsWith(`${folder}/`));
      assert.ok(files.length > 0);
      none(
        files.flatMap(({ path }) => wayOut(path, new Set()) ?? []),
        'ways out',
      );
    });
  }

  it('is also whatever calls itself pure', () => {
    const heads = SRC.filter(({ text }) => /\bPure\b/.test(/^\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? ''));
    none(
      heads.flatMap(({ path }) => wayOut(path, new Set()) ?? []),
      'ways out',
    );
  });
});
