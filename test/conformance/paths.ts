/** The rules for paths: characters, shape, length. */

import { list, mkdir, read, write } from './requests.js';
import { ask, type Expected, OK, type Scenario, scenario } from './scenario.js';

/** `/t/` followed by one long component. */
const absolute = (bytes: number) => `/t/${'p'.repeat(bytes - 3)}`;
const REFUSED: Readonly<Record<string, string>> = {
  'with a dot': '/t/a.b',
  'with a colon': '/t/a:b',
  'with a plus': '/t/a+b',
  'with a star': '/t/*',
  'with a space': '/t/a b',
  'with a newline': '/t/a\n',
  'with a tilde': '/t/~a',
  'with a byte above ASCII': '/t/\xe4',
  'that is empty': '',
  'of two slashes': '//',
  'with a slash at its end': '/t/',
  'with an empty component': '/t//a',
};

const longest = (name: string, path: string, expected: Expected) =>
  scenario(name, ask('dom0', write(path, '1'), expected));

export const paths: readonly Scenario[] = [
  scenario(
    'letters, digits, minus, underscore and at sign are fine',
    ask('dom0', write('/t/aZ09-_@', '1'), OK),
    ask('dom0', read('/t/aZ09-_@'), '1'),
  ),
  scenario('a component may begin with an at sign', ask('dom0', write('/t/@x', '1'), OK)),
  scenario(
    'names that differ in case are different nodes',
    ask('dom0', write('/t/a', '1'), OK),
    ask('dom0', read('/t/A'), '!ENOENT'),
  ),
  ...Object.entries(REFUSED).map(([what, path]) =>
    scenario(`a path ${what} is refused`, ask('dom0', write(path, '1'), '!EINVAL')),
  ),
  scenario(
    'a refused path is refused for mkdir and read too',
    ask('dom0', mkdir('/t/a.b'), '!EINVAL'),
    ask('dom0', read('/t/a.b'), '!EINVAL'),
    ask('dom0', list('/t//a'), '!EINVAL'),
  ),
  longest('a path of 1024 bytes is fine', absolute(1024), OK),
  longest('a path of 1025 bytes is for the C daemon only', absolute(1025), { c: OK, o: '!EINVAL' }),
  longest('a path of 2048 bytes is for the C daemon only', absolute(2048), { c: OK, o: '!EINVAL' }),
  longest('a path of 2049 bytes is refused', absolute(2049), '!EINVAL'),
  longest('a path of 3072 bytes is refused, in spite of the header', absolute(3072), '!EINVAL'),
  longest('a path of 3073 bytes is refused', absolute(3073), '!EINVAL'),
  scenario(
    'a relative path of 1024 bytes is fine',
    ask('dom0', write(`long/${'p'.repeat(1019)}`, '1'), OK),
    ask('dom0', read(`long/${'p'.repeat(1019)}`), '1'),
  ),
  scenario(
    'a relative path of 2048 bytes is for the C daemon only',
    ask('dom0', write(`long/${'p'.repeat(2043)}`, '1'), { c: OK, o: '!EINVAL' }),
    ask('dom0', write(`long/${'p'.repeat(2044)}`, '1'), '!EINVAL'),
  ),
  scenario(
    "the limit of a path in a domain's home counts from after the home",
    ask('dom0', write(`/local/domain/0/${'p'.repeat(2048)}`, '1'), { c: OK, o: '!EINVAL' }),
    ask('dom0', write(`/local/domain/0/${'p'.repeat(2049)}`, '1'), '!EINVAL'),
  ),
  scenario(
    'a special name is not a node for the C daemon',
    ask('dom0', read('@foo'), { c: '!EINVAL', o: '!ENOENT' }),
    ask('dom0', read('@introduceDomain'), { c: '!EINVAL', o: '' }),
    ask('dom0', list('@releaseDomain'), { c: '!EINVAL', o: '' }),
  ),
];
