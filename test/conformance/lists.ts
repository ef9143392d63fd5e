/** Lists of children: their order, and lists that are longer than a payload. */

import { list, mkdir, part, write } from './requests.js';
import { ask, askAll, OK, type Scenario, scenario, times } from './scenario.js';

const NAME = 'a-child-of-a-long-name';
const child = (index: number) => `${NAME}-${String(index).padStart(3, '0')}`;
const MANY = times(300, child);
const makeMany = askAll(
  'dom0',
  MANY.map((name) => mkdir(`/t/d/${name}`)),
);
const whole = (names: readonly string[]) => names.map((name) => `${name}|`).join('');
/** What fits: the daemon cuts after the last whole name, and the generation takes some of the payload. */
const partial = (from: number) => new RegExp(`^\\d+\\|${MANY[from]}\\|(${NAME}-\\d{3}\\|)+$`);

export const lists: readonly Scenario[] = [
  scenario(
    'a node without children has an empty list',
    ask('dom0', mkdir('/t/a'), OK),
    ask('dom0', list('/t/a'), ''),
  ),
  scenario(
    'every name of a list ends with a NUL',
    ask('dom0', mkdir('/t/a'), OK),
    ask('dom0', mkdir('/t/b'), OK),
    ask('dom0', list('/t'), 'a|b|'),
  ),
  scenario(
    'children are listed in order of creation by the C daemon, and sorted by oxenstored',
    askAll('dom0', [mkdir('/t/m'), mkdir('/t/z'), mkdir('/t/a')]),
    ask('dom0', list('/t'), { c: 'm|z|a|', o: 'a|m|z|' }),
  ),
  scenario(
    'a list names children and not their children',
    ask('dom0', write('/t/a/b/c', '1'), OK),
    ask('dom0', list('/t'), 'a|'),
  ),
  scenario(
    'a list of 4096 bytes is given whole',
    askAll(
      'dom0',
      times(128, (index) => mkdir(`/t/d/${String(index).padStart(31, '0')}`)),
    ),
    ask('dom0', list('/t/d'), whole(times(128, (index) => String(index).padStart(31, '0')))),
  ),
  scenario(
    'a list longer than a payload is refused by the C daemon and sent whole by oxenstored',
    makeMany,
    ask('dom0', list('/t/d'), { c: '!E2BIG', o: whole(MANY) }),
  ),
  scenario(
    'a part of a short list has a generation, the names and one more NUL',
    askAll('dom0', [mkdir('/t/a'), mkdir('/t/b')]),
    ask('dom0', part('/t', 0), { c: /^\d+\|a\|b\|\|$/, o: '!ENOSYS' }),
  ),
  scenario(
    'the first part of a long list has whole names and no end',
    makeMany,
    ask('dom0', part('/t/d', 0), { c: partial(0), o: '!ENOSYS' }),
  ),
  scenario(
    'the offset of a part counts the bytes of the names before it',
    makeMany,
    ask('dom0', part('/t/d', 26 * (NAME.length + 5)), { c: partial(26), o: '!ENOSYS' }),
    ask('dom0', part('/t/d', 299 * (NAME.length + 5)), {
      c: new RegExp(`^\\d+\\|${MANY[299]}\\|\\|$`),
      o: '!ENOSYS',
    }),
  ),
  scenario(
    'a part after the end has a generation and an end',
    ask('dom0', mkdir('/t/a'), OK),
    ask('dom0', part('/t', 2), { c: /^\d+\|\|$/, o: '!ENOSYS' }),
    ask('dom0', part('/t', 9999), { c: /^\d+\|\|$/, o: '!ENOSYS' }),
  ),
  scenario(
    'a part of a node without children has a generation and an end',
    ask('dom0', mkdir('/t/a'), OK),
    ask('dom0', part('/t/a', 0), { c: /^\d+\|\|$/, o: '!ENOSYS' }),
  ),
  scenario(
    'a part of a missing node says so',
    ask('dom0', part('/t/none', 0), { c: '!ENOENT', o: '!ENOSYS' }),
  ),
];
