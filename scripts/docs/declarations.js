// A file of declarations, as api-extractor gathers them, taken apart.

const HEAD = /^(export )?declare (?:abstract )?(function|class|interface|type|const) (\w+)/;

/**
 * What a file of declarations exports, in its order: `{ name, kind, comment, code }`. The comment has lost its stars, the
 * code what is the same everywhere.
 */
export function exportedDeclarations(text) {
  // Each begins at the left margin, its comments too; what is inside is indented, or closes it.
  const parts = text.split(/\n(?=\/\*\*|export |declare |import )/);
  const found = [];
  let comment = '';
  for (const part of parts) {
    if (part.startsWith('/**')) comment = withoutStars(part);
    const [, isExported, kind, name] = HEAD.exec(part) ?? [];
    if (kind === undefined) continue;
    if (isExported) found.push({ name, kind, comment, code: tidy(part) });
    comment = '';
  }
  return found;
}

/** The text of a doc comment. */
export function withoutStars(comment) {
  return comment
    .trim()
    .replace(/^\/\*\*\s?|\s*\*\/$/g, '')
    .replace(/^ \* ?/gm, '')
    .trim();
}

/** What is private is nobody's business. */
function tidy(code) {
  return code
    .trim()
    .replace(/^export declare /, '')
    .replaceAll(/\{@link ([\w.]+)\}/g, '$1')
    .replace(/^ {2}(?:#private|private (?:readonly )?\w+);\n/gm, '');
}
