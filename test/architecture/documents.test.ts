/** The documents match the product. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commandRemedy } from '../../src/commands/remedies.js';
import { ERROR_KINDS, type PvusbErrorCode } from '../../src/pvusb/model/errors.js';
import { none } from './none.js';
import { namesIn, readProjectFile } from './sources.js';

describe('the documents', () => {
  it('errors.md lists exactly the existing codes, with their remedies', () => {
    let text: string;
    try {
      text = readProjectFile('docs/errors.md');
    } catch {
      return assert.fail('docs/errors.md is not written yet');
    }
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \|(.*)\|([^|]*)\|$/gm)];
    assert.deepEqual(rows.map(([, code]) => code).sort(), Object.keys(ERROR_KINDS).sort());
    const remedies = Object.fromEntries(rows.map(([, code, , remedy]) => [code!, remedy!.trim()]));
    const wanted = (Object.keys(ERROR_KINDS) as PvusbErrorCode[]).map((code) => [code, commandRemedy(code)]);
    assert.deepEqual(remedies, Object.fromEntries(wanted));
  });

  it('name only scripts of package.json', () => {
    const { scripts } = JSON.parse(readProjectFile('package.json')) as {
      scripts: Readonly<Record<string, string>>;
    };
    const texts = [
      'README.md',
      ...namesIn('docs').flatMap(({ name, isFolder }) => (isFolder ? [] : `docs/${name}`)),
    ];
    const used = texts.flatMap((path) => {
      const text = readProjectFile(path);
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
      'not scripts',
    );
  });
});
