/** The store as text, as `xenstore-ls -fp` prints it, and back. */
import { isPath } from '../../xenstore/path.js';
import { formatPermission, type Permission, parsePermissions } from '../../xenstore/permissions.js';
import { StoreError } from './errors.js';
import { parentOf, type Tree } from './tree.js';

const LINE = /^(\/\S*) = "(.*)" {3}\(([^()]*)\)$/;
const SHORT: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' };
const LONG: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };

/**
 * Bytes below 8 are octal, other unprintable ones hexadecimal. Quotation marks are kept: lines are parsed from both
 * ends.
 */
function escapeByte(byte: string): string {
  const code = byte.charCodeAt(0);
  return SHORT[byte] ?? (code < 8 ? `\\00${code}` : `\\x${code.toString(16).padStart(2, '0')}`);
}

/** A value (a binary string) as `xenstore-ls` shows it. */
export function escapeValue(value: string): string {
  return value.replace(/[^ -[\]-~]/g, escapeByte);
}

/** The inverse of {@link escapeValue}. */
function unescapeValue(text: string): string {
  return text.replace(/\\(?:([tnr\\])|x([0-9a-f]{2})|([0-7]{3}))/g, (_all, letter, hex, octal) => {
    if (letter !== undefined) return LONG[letter]!;
    return String.fromCharCode(hex === undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex, 16));
  });
}

/** One line per node, sorted, without the root: `/path = "value"   (n0,r1)`. */
export function formatTree(tree: Tree): string {
  const lines: string[] = [];
  for (const [path, { value, permissions }] of tree.entries()) {
    if (path === '/') continue;
    lines.push(`${path} = "${escapeValue(value)}"   (${permissions.map(formatPermission).join(',')})\n`);
  }
  // Lines are ASCII, so the order of UTF-16 units is the order of bytes.
  return lines.sort().join('');
}

/**
 * Replaces all nodes by those of a dump. Parents that are not in the text are created for domain 0.
 *
 * @throws {StoreError} `EINVAL` with the invalid line; the tree is then as it was
 */
export function parseTree(tree: Tree, text: string): void {
  const nodes = text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
  tree.clear();
  // Sorted text has `a-b` between `a` and `a/c`, but any parent comes before its children.
  for (const { path, value, permissions } of nodes) {
    makeParents(tree, path);
    if (tree.get(path) === undefined) tree.add(path, value, permissions);
    else {
      tree.change(path).value = value;
      tree.setPermissions(path, permissions);
    }
  }
}

function parseLine(line: string): { path: string; value: string; permissions: readonly Permission[] } {
  const [, path, value, list] = LINE.exec(line) ?? [];
  const permissions = list === undefined ? undefined : parsePermissions(list);
  if (permissions === undefined || !isPath(path!) || path === '/') throw new StoreError('EINVAL', line);
  return { path: path!, value: unescapeValue(value!), permissions };
}

function makeParents(tree: Tree, path: string): void {
  const parent = parentOf(path);
  if (tree.get(parent) !== undefined) return;
  makeParents(tree, parent);
  tree.add(parent, '', [{ domid: 0, access: 'none' }]);
}
