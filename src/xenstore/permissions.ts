/** Permissions of a xenstore node (`xenstore.txt: Permissions`). No IO. */

/** What a domain may do with a node. */
export type Access = 'none' | 'read' | 'write' | 'both';

/** One entry: a domain and its access. The first entry of a node names its owner and everyone else's access. */
export interface Permission {
  readonly domid: number;
  readonly access: Access;
}

const LETTER: Readonly<Record<Access, string>> = { none: 'n', read: 'r', write: 'w', both: 'b' };
const ACCESS: Readonly<Record<string, Access>> = { n: 'none', r: 'read', w: 'write', b: 'both' };

/** Formats one entry as on the wire: `n0`, `r5`. */
export function formatPermission(permission: Permission): string {
  return `${LETTER[permission.access]}${permission.domid}`;
}

/** Parses one entry (`n0`); undefined when it is not one. */
export function parsePermission(text: string): Permission | undefined {
  const match = /^([nrwb])(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  return { access: ACCESS[match[1]!]!, domid: Number(match[2]) };
}

/** Parses `n0,r5`; undefined when any entry is malformed or there is none. */
export function parsePermissions(text: string): Permission[] | undefined {
  const entries = text.split(',').map(parsePermission);
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}
