/** Domains coming and going. */

import {
  domainPath,
  end,
  introduce,
  isIntroduced,
  list,
  read,
  release,
  resume,
  setPermissions,
  watch,
  within,
  write,
} from './requests.js';
import {
  ask,
  begin,
  dies,
  exists,
  OK,
  type Scenario,
  scenario,
  scenarioOfC,
  sees,
  shutsDown,
  waits,
} from './scenario.js';

const watched = (path: string) => [ask('dom0', watch(path, 'tok'), OK), sees('dom0', [`${path}|tok|`])];

export const domains: readonly Scenario[] = [
  scenario(
    'the home of a domain is told for any number',
    ask('dom0', domainPath('0'), '/local/domain/0|'),
    ask('dom0', domainPath('5'), '/local/domain/5|'),
    ask('dom0', domainPath('30000'), '/local/domain/30000|'),
  ),
  scenario('a guest may ask for homes', ask('guest', domainPath('{guest}'), '/local/domain/{guest}|')),
  scenario(
    'domain 0 is introduced, an unknown domain is not',
    ask('dom0', isIntroduced('0'), 'T|'),
    ask('dom0', isIntroduced('9'), 'F|'),
  ),
  scenario('an introduced domain is introduced', exists('guest'), ask('dom0', isIntroduced('{guest}'), 'T|')),
  scenario('a domain that does not exist cannot be introduced', ask('dom0', introduce('9'), '!EINVAL')),
  scenario(
    'a domain that does not exist cannot be released',
    ask('dom0', release('9'), { c: '!ENOENT', o: '!EINVAL' }),
  ),
  scenario(
    'a domain that does not exist cannot be resumed',
    ask('dom0', resume('9'), { c: '!ENOENT', o: '!EINVAL' }),
  ),
  // oxenstored answers ENOENT, forgets domain 0 and removes its home.
  scenarioOfC('domain 0 cannot be released', ask('dom0', release('0'), '!EINVAL')),
  scenario(
    'a new domain fires @introduceDomain',
    ...watched('@introduceDomain'),
    exists('guest'),
    sees('dom0', ['@introduceDomain|tok|']),
  ),
  scenario(
    'a shutdown fires @releaseDomain, and the domain and its nodes stay',
    ...watched('@releaseDomain'),
    ask('guest', write('a', '1'), OK),
    shutsDown('guest'),
    waits('dom0', '@releaseDomain|tok|'),
    ask('dom0', isIntroduced('{guest}'), 'T|'),
    ask('dom0', read('/local/domain/{guest}/a'), '1'),
  ),
  scenario(
    'a death after a shutdown fires @releaseDomain again',
    ...watched('@releaseDomain'),
    exists('guest'),
    shutsDown('guest'),
    waits('dom0', '@releaseDomain|tok|'),
    dies('guest'),
    sees('dom0', ['@releaseDomain|tok|']),
  ),
  scenario(
    'the death of a domain ends its connection',
    ask('guest', write('a', '1'), OK),
    dies('guest'),
    ask('guest', read('a'), '!CLOSED'),
  ),
  scenario(
    'a domain may come again after its death',
    exists('guest'),
    dies('guest'),
    exists('guest'),
    ask('guest', write('a', '1'), OK),
  ),
  scenario(
    'an open transaction of a dead domain changes nothing',
    ask('dom0', write('/t/a', '1'), OK),
    exists('guest'),
    ask('dom0', setPermissions('/t/a', 'n0', 'b{guest}'), OK),
    begin('guest', 'A'),
    ask('guest', within('A', write('/t/a', '2')), OK),
    dies('guest'),
    ask('dom0', read('/t/a'), '1'),
  ),
  scenario(
    'a transaction of domain 0 survives the death of another domain',
    exists('guest'),
    begin('dom0', 'A'),
    ask('dom0', within('A', write('/t/a', '1')), OK),
    dies('guest'),
    ask('dom0', within('A', end('T')), OK),
    ask('dom0', list('/t'), 'a|'),
  ),
];
