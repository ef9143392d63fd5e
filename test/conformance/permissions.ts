/** Permissions as domain 0 sets and reads them. What they do to a guest is in `guests.ts`. */

import { MessageType } from '../../src/xenstore/wire.js';
import { getPermissions, mkdir, request, rm, setPermissions, write } from './requests.js';
import { ask, exists, OK, type Scenario, scenario } from './scenario.js';

const made = ask('dom0', mkdir('/t/a'), OK);

export const permissions: readonly Scenario[] = [
  scenario(
    'a new node belongs to domain 0 and is closed to others',
    made,
    ask('dom0', getPermissions('/t/a'), 'n0|'),
  ),
  scenario(
    'permissions are read back in order',
    made,
    ask('dom0', setPermissions('/t/a', 'n0', 'r5', 'w6', 'b7'), OK),
    ask('dom0', getPermissions('/t/a'), 'n0|r5|w6|b7|'),
  ),
  scenario(
    'permissions are replaced as a whole',
    made,
    ask('dom0', setPermissions('/t/a', 'r0', 'b5'), OK),
    ask('dom0', setPermissions('/t/a', 'n0'), OK),
    ask('dom0', getPermissions('/t/a'), 'n0|'),
  ),
  scenario(
    'a child gets the permissions of its parent',
    made,
    ask('dom0', setPermissions('/t/a', 'r0', 'b5'), OK),
    ask('dom0', write('/t/a/b/c', '1'), OK),
    ask('dom0', getPermissions('/t/a/b'), 'r0|b5|'),
    ask('dom0', getPermissions('/t/a/b/c'), 'r0|b5|'),
  ),
  scenario(
    'a write keeps the permissions of a node',
    made,
    ask('dom0', setPermissions('/t/a', 'r0', 'b5'), OK),
    ask('dom0', write('/t/a', '1'), OK),
    ask('dom0', getPermissions('/t/a'), 'r0|b5|'),
  ),
  scenario(
    'a later change of the parent leaves its children alone',
    made,
    ask('dom0', write('/t/a/b', '1'), OK),
    ask('dom0', setPermissions('/t/a', 'r0'), OK),
    ask('dom0', getPermissions('/t/a/b'), 'n0|'),
  ),
  scenario(
    'a removed and rewritten node has its parent’s permissions again',
    made,
    ask('dom0', setPermissions('/t/a', 'r0'), OK),
    ask('dom0', rm('/t/a'), OK),
    ask('dom0', write('/t/a', '1'), OK),
    ask('dom0', getPermissions('/t/a'), 'n0|'),
  ),
  scenario(
    'domain 0 may give a node to a guest, and the children that it creates there are the guest’s',
    exists('guest'),
    made,
    ask('dom0', setPermissions('/t/a', 'n{guest}'), OK),
    ask('dom0', getPermissions('/t/a'), 'n{guest}|'),
    ask('dom0', write('/t/a/b', '1'), OK),
    ask('dom0', getPermissions('/t/a/b'), 'n{guest}|'),
  ),
  scenario(
    'an owner that is not a domain is refused by the C daemon',
    made,
    ask('dom0', setPermissions('/t/a', 'n7'), { c: '!ENOENT', o: OK }),
    ask('dom0', getPermissions('/t/a'), { c: 'n0|', o: 'n7|' }),
  ),
  scenario(
    'a reader that is not a domain is accepted',
    made,
    ask('dom0', setPermissions('/t/a', 'n0', 'r7'), OK),
    ask('dom0', getPermissions('/t/a'), 'n0|r7|'),
  ),
  scenario('an unknown letter is refused', made, ask('dom0', setPermissions('/t/a', 'x0'), '!EINVAL')),
  scenario('a letter without a domain is refused', made, ask('dom0', setPermissions('/t/a', 'n'), '!EINVAL')),
  scenario('no permissions at all are refused', made, ask('dom0', setPermissions('/t/a'), '!EINVAL')),
  scenario(
    'permissions without their last NUL are refused',
    made,
    ask('dom0', request(MessageType.setPermissions, '/t/a\0n0'), '!EINVAL'),
  ),
  scenario(
    'a missing node has no permissions to read or set',
    ask('dom0', getPermissions('/t/none'), '!ENOENT'),
    ask('dom0', setPermissions('/t/none', 'n0'), '!ENOENT'),
  ),
  scenario(
    'the permissions of the special watches can be set, and read only from oxenstored',
    ask('dom0', setPermissions('@releaseDomain', 'n0', 'r5'), OK),
    ask('dom0', getPermissions('@releaseDomain'), { c: '!EINVAL', o: 'n0|r5|' }),
    ask('dom0', setPermissions('@releaseDomain', 'n0'), OK),
  ),
];
