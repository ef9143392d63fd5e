/** How the sources are written: the rules that neither the compiler nor the linter knows. */
import { describe, it } from 'node:test';
import { none } from './none.js';
import { ALL, linesWith, SRC } from './sources.js';

const LINES_MAX = 300;

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
    const silenced = typed.filter(({ path }) => path !== 'test/architecture/sources.test.ts');
    none(
      silenced
        .filter(({ text }) => /@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(text))
        .map(({ path }) => path),
      'silenced',
    );
  });

  it('have no module-level variables: state belongs to someone', () => {
    none(linesWith(SRC, /^(export\s+)?(let|var)\s/), 'module-level variables');
  });

  it('inherit only from Error, except for the client, which is a view of the store', () => {
    const broken = linesWith(SRC, /\bclass\s+(?:\w+(?:<[^>]*>)?\s+)?extends\s+(?!Error\b)/);
    none(
      broken.filter((line) => !/class XenstoreClient extends StoreView\b/.test(line)),
      'inheritance',
    );
  });

  it('document every export', () => {
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

  it('have no test that is skipped or postponed', () => {
    const tests = ALL.filter(({ path }) => path.startsWith('test/') && path.endsWith('.ts'));
    none(
      linesWith(tests, /\b(?:it|test|describe)\s*\.\s*(?:skip|todo|only)\b|\b(?:todo|only)\s*:\s*(?:true|')/),
      'skip, todo or only',
    );
  });
});
