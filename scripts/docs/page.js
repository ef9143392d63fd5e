// A page of the API's documentation: what one entry of the package exports, with what the doc comments say.
import { withoutStars } from './declarations.js';

/** What is called comes before what it is given. */
const ORDER = ['function', 'class', 'const', 'interface', 'type'];

/**
 * The sections of an index, `{ title, text, names }`. A comment begins one when an empty line follows it: a title that
 * ends with a full stop, and perhaps more. An index without such comments has none.
 */
function sectionsOf(index) {
  const [, ...parts] = index.split(/\n(?=(?:\/\/ .*\n)+\n)/);
  return parts.map((part) => {
    const comment = /^(?:\/\/ .*\n)+/
      .exec(part)[0]
      .replaceAll(/^\/\/ /gm, '')
      .trim();
    const [, title, text] = /^(.*?)\.(?=\s|$)\s*([\s\S]*)$/.exec(comment);
    const lists = [...part.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list]) => list.split(','));
    const names = lists.flat().map((name) => name.trim().replace(/^type /, ''));
    return { title, text, names: names.filter((name) => name !== '') };
  });
}

/**
 * The page of one entry: `entry` is how it is imported, `index` the text of its index, `declared` what it exports, `links` what
 * stands below the introduction.
 */
export function formatPage({ entry, index, declared, links }) {
  const byName = new Map();
  for (const one of declared) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);
  const rank = (name) => ORDER.indexOf(byName.get(name)[0].kind);
  const sorted = (names) => [...new Set(names)].toSorted((a, b) => rank(a) - rank(b));
  const sections = sectionsOf(index).map((section) => ({ ...section, names: sorted(section.names) }));
  const listed = sections.flatMap(({ names }) => names);
  const unlisted = sorted([...byName.keys()].filter((name) => !listed.includes(name)));
  if (sections.length > 0 && unlisted.length > 0) throw new Error(`in no section: ${unlisted.join(', ')}`);

  const anchors = anchorsOf([...sections.flatMap(({ title, names }) => [title, ...names]), ...unlisted]);
  const link = (name, text = `\`${name}\``) =>
    anchors.has(name) ? `[${text}](#${anchors.get(name)})` : text;
  const about = withoutStars(/^\/\*\*[\s\S]*?\*\//.exec(index)[0]).split('\n\n')[0];
  const linked = (names) => names.map((name) => link(name)).join(', ');
  const contents = sections.map(({ title, names }) => `| ${link(title, title)} | ${linked(names)} |`);
  const format = (name) => formatName(name, byName.get(name), link);
  return [
    `# \`${entry}\``,
    '<!-- Made by "npm run docs" from the comments in the sources. -->',
    prose(about, link),
    links,
    sections.length > 0 ? ['| | |', '|---|---|', ...contents].join('\n') : linked(unlisted),
    ...sections.flatMap(({ title, text, names }) => [`## ${title}`, prose(text, link), ...names.map(format)]),
    ...unlisted.map(format),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

function formatName(name, declarations, link) {
  const parts = declarations.flatMap(({ code, comment }) => {
    const [text, ...throws] = comment.split(/\s*@throws\s+/);
    const thrown = throws.map((one) =>
      one.replace(/^\{(\w+)\}( `)?/, (_, error, code = '') => `{@link ${error}}${code && `:${code}`}`),
    );
    return [text, `\`\`\`ts\n${code}\n\`\`\``, ...thrown.map((one) => `Throws ${one}`)];
  });
  const words = declarations.flatMap(({ code }) => withoutComments(code).match(/\b[A-Z]\w+/g) ?? []);
  const used = [...new Set(words)].filter((word) => word !== name && link(word).startsWith('['));
  const see = used.length === 0 ? '' : `See ${used.map((word) => link(word)).join(', ')}.`;
  return [`### ${name}`, ...parts.map((part) => prose(part, link)), see]
    .filter((part) => part !== '')
    .join('\n\n');
}

function withoutComments(code) {
  return code.replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
}

/** A comment's text as markdown: its links lead to names of the page, and nothing is taken for HTML. Code stays as it is. */
function prose(text, link) {
  return text
    .split(/(```[\s\S]*?```|`[^`]*`)/)
    .map((part) =>
      part.startsWith('`')
        ? part
        : part
            .replaceAll('<', '&lt;')
            .replaceAll(/\{@link ([\w.]+)\}/g, (_, name) => link(name.split('.')[0], `\`${name}\``)),
    )
    .join('');
}

/** Where headings are found, in their order: a second one of the same letters has a number. */
function anchorsOf(headings) {
  const seen = new Map();
  return new Map(
    headings.map((heading) => {
      const plain = heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-');
      const count = seen.get(plain) ?? 0;
      seen.set(plain, count + 1);
      return [heading, count === 0 ? plain : `${plain}-${count}`];
    }),
  );
}
