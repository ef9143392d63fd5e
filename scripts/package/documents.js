// The documents that go into packages: the README and whatever its links lead to.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../bundle.js';

/** Paths from the project's folder, sorted. */
export function linkedDocuments() {
  const found = new Set(['README.md']);
  // A set is walked to its end, which what is found on the way moves.
  for (const path of found) {
    if (!path.endsWith('.md')) continue;
    const links = readFileSync(join(root, path), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g);
    for (const [, link] of links) found.add(join(dirname(path), link));
  }
  return [...found].sort();
}
