/** XAPI's policies as statements about devices. */
import { printable } from '../../../sysfs/text.js';
import type { Identity } from '../../rule.js';
import type { ForeignLine, Remark, Statement } from '../statement.js';
import type { Key, Policy, PolicyLine } from './parse.js';

/** What a line says. */
export function readPolicyLine({ line, untrustedText, policy }: PolicyLine): ForeignLine {
  const text = printable(untrustedText.trim());
  return policy ? { line, text, statement: statementOf(policy) } : { line, text };
}

function statementOf({ isAllowed, values, columns }: Policy): Statement {
  const obstacles: Remark[] = [];
  const notes: Remark[] = [];
  const column = columns.get('action')!;
  const refuse = (key: Key, message: string): void => {
    if (values.has(key)) obstacles.push({ column: columns.get(key)!, message });
  };
  const [vid, pid] = [values.get('vid'), values.get('pid')];
  const kind = values.get('class');
  const parts = [kind, values.get('subclass'), values.get('prot')];
  // What is known as far as nothing is left out before it.
  const gap = parts.indexOf(undefined);
  const known = gap === -1 ? parts : parts.slice(0, gap);
  refuse('rel', 'rel cannot be expressed in pvusb rules: they do not compare versions.');
  if (vid === undefined) refuse('pid', 'pid without vid cannot be expressed in pvusb rules.');
  if (kind === undefined)
    refuse(
      'subclass',
      'subclass without class means any class with it, which cannot be expressed in pvusb rules.',
    );
  if (known.length < 2) refuse('prot', 'prot without class and subclass cannot be expressed in pvusb rules.');
  const pattern = known.length === 3 ? known.join('/') : [...known, '*'].join('/');
  const identity: Identity = {
    ...(vid === undefined ? {} : { ids: `${vid}:${pid ?? '*'}` }),
    ...(known.length === 0 ? {} : { interfaces: [pattern] }),
  };
  if (isAllowed && known.length > 0 && obstacles.length === 0) {
    const message =
      'A rule gives whole devices: one with an interface that only another line allows is not given.';
    notes.push({ column, message });
  }
  const all = [identity];
  return {
    isAllowed,
    column,
    ...(obstacles.length === 0 ? { exactly: all } : {}),
    within: all,
    like: all,
    obstacles,
    notes,
  };
}
