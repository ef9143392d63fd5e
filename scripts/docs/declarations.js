// Takes apart a file of declarations, as api-extractor gathers them.

const HEAD = /^(export )?declare (?:abstract )?(function|class|interface|type|const) (\w+)/;

/**
 * What a file of declarations exports, in order: `{ name, kind, comment, code }`. The comment is without its stars, the
 * code without what is the same everywhere.
 */
export function exportedDeclarations(text) {
  // Each begins at the left margin, as do its comments; what is inside is indented, or closes it.
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

/** Private members are left out. */
function tidy(code) {
  return code
    .trim()
    .replace(/^export declare /, '')
    .replaceAll(/\{@link ([\w.]+)\}/g, '$1')
    .replace(/^ {2}(?:#private|private (?:readonly )?\w+);\n/gm, '');
}
