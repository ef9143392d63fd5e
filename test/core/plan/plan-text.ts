/** A plan as text with all its data, for tests: every step, action, fact, edit and undo, and every field of them. */
import type { Action, Edit, Fact, Plan, Step } from '../../../src/pvusb/index.js';
import { formatPermission } from '../../../src/xenstore/permissions.js';

type Commit = Extract<Action, { readonly do: 'commit' }>;
type ConfigChange = NonNullable<Commit['config']>;

/** The whole plan. Plans that differ in anything but the order of an object's fields have different texts. */
export function planText({ title, onFailure, steps }: Plan): string {
  return [`${title} (on failure: ${onFailure})`, ...steps.flatMap(stepLines)].join('\n');
}

function stepLines({ why, act, undo = [], goOn, ...rest }: Step): string[] {
  return [
    `- ${words(why, goOn === undefined ? [] : `goOn=${goOn}`, fields(rest))}`,
    ...indented(actionLines(act)),
    ...undo.flatMap((action) => {
      const [first, ...more] = actionLines(action);
      return indented([`undo ${first}`, ...more]);
    }),
  ];
}

function actionLines(action: Action): string[] {
  if (action.do !== 'commit') {
    const { do: verb, ...rest } = action;
    return [words(verb, fields(rest))];
  }
  const { do: verb, expect, edits, config, ...rest } = action;
  return [
    words(verb, fields(rest)),
    ...indented([
      ...expect.flatMap(factLines),
      ...edits.map(editLine),
      ...(config === undefined ? [] : configLines(config)),
    ]),
  ];
}

function factLines(fact: Fact): string[] {
  switch (fact.fact) {
    case 'unclaimed': {
      const { fact: kind, busid, domids, controllers, ports, ...rest } = fact;
      const names = controllers.map(({ domid, devid, ...more }) => words(`${domid}/${devid}`, fields(more)));
      return [
        words(`expect ${busid} ${kind}`, fields(rest)),
        ...indented([
          words('domains', domids.map(String)),
          words('controllers', names),
          ...braced(ports).map((path) => `port ${path}`),
        ]),
      ];
    }
    case 'value': {
      const { fact: _, path, is, ...rest } = fact;
      return [words(`expect ${path} = ${JSON.stringify(is)}`, fields(rest))];
    }
    default: {
      const { fact: kind, path, ...rest } = fact;
      return [words(`expect ${path} ${kind}`, fields(rest))];
    }
  }
}

/** Consecutive paths in one folder as one: `/port/1` and `/port/2` are `/port/{1,2}`. */
function braced(paths: readonly string[]): string[] {
  const groups: { readonly folder: string; readonly names: string[] }[] = [];
  for (const path of paths) {
    const folder = path.slice(0, path.lastIndexOf('/'));
    const name = path.slice(folder.length + 1);
    const last = groups.at(-1);
    if (last?.folder === folder) last.names.push(name);
    else groups.push({ folder, names: [name] });
  }
  return groups.map(({ folder, names }) =>
    names.length === 1 ? `${folder}/${names[0]}` : `${folder}/{${names.join(',')}}`,
  );
}

function editLine(edit: Edit): string {
  switch (edit.edit) {
    case 'write': {
      const { edit: verb, path, value, ...rest } = edit;
      return words(`${verb} ${path} = ${JSON.stringify(value)}`, fields(rest));
    }
    case 'mkdir': {
      const { edit: verb, path, permissions, ...rest } = edit;
      return words(verb, path, permissions.map(formatPermission).join(','), fields(rest));
    }
    default: {
      const { edit: verb, path, ...rest } = edit;
      return words(verb, path, fields(rest));
    }
  }
}

function configLines({ domid, uuid, edits, known = [], ...rest }: ConfigChange): string[] {
  return [
    words(`config of domain ${domid}, ${uuid}`, fields(rest)),
    ...indented([
      ...edits.map(({ edit: verb, ...more }) => words(verb, fields(more))),
      ...known.map((device) => words('known', fields(device))),
    ]),
  ];
}

/** `key=value` for every existing field, sorted: their order in the sources means nothing. */
export function fields(object: object): string[] {
  return Object.entries(object)
    .flatMap(([key, value]) => (value === undefined ? [] : `${key}=${valueText(value)}`))
    .sort();
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{${fields(value).join(' ')}}`;
  return typeof value === 'string' && /^[\w.:@/-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Parts with blanks between them; empty ones are left out. */
export function words(...parts: readonly (string | readonly string[])[]): string {
  return parts
    .flat()
    .filter((part) => part !== '')
    .join(' ');
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
