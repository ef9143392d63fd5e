/** Reading, writing, creating and removing nodes. */

import { MessageType } from '../../src/xenstore/wire.js';
import { list, mkdir, read, request, rm, write } from './requests.js';
import { ask, OK, type Scenario, scenario, scenarioOfC } from './scenario.js';

export const nodes: readonly Scenario[] = [
  scenario(
    'a value is read back as it was written, without a NUL at its end',
    ask('dom0', write('/t/a', 'value'), OK),
    ask('dom0', read('/t/a'), 'value'),
  ),
  scenario(
    'a value may contain any bytes, also NULs',
    ask('dom0', write('/t/a', 'x\0y\xff\n'), OK),
    ask('dom0', read('/t/a'), 'x|y\xff\n'),
  ),
  scenario('a value may be empty', ask('dom0', write('/t/a', ''), OK), ask('dom0', read('/t/a'), '')),
  scenario(
    'a write replaces the whole value',
    ask('dom0', write('/t/a', 'a long value'), OK),
    ask('dom0', write('/t/a', 'short'), OK),
    ask('dom0', read('/t/a'), 'short'),
  ),
  scenario(
    'another connection sees a write at once',
    ask('dom0', write('/t/a', '1'), OK),
    ask('other', read('/t/a'), '1'),
  ),
  scenario(
    'a write creates the missing nodes above, with empty values',
    ask('dom0', write('/t/a/b/c', '1'), OK),
    ask('dom0', read('/t/a/b'), ''),
    ask('dom0', list('/t/a'), 'b|'),
  ),
  scenario(
    'mkdir creates the missing nodes above, with empty values',
    ask('dom0', mkdir('/t/a/b/c'), OK),
    ask('dom0', read('/t/a/b/c'), ''),
    ask('dom0', list('/t'), 'a|'),
  ),
  scenario(
    'mkdir of an existing node is fine and keeps its value',
    ask('dom0', write('/t/a', 'kept'), OK),
    ask('dom0', mkdir('/t/a'), OK),
    ask('dom0', read('/t/a'), 'kept'),
  ),
  scenario(
    'a write to a directory keeps its children',
    ask('dom0', write('/t/a/b', '1'), OK),
    ask('dom0', write('/t/a', '2'), OK),
    ask('dom0', list('/t/a'), 'b|'),
  ),
  scenario('a missing node cannot be read', ask('dom0', read('/t/none'), '!ENOENT')),
  scenario('a missing node cannot be listed', ask('dom0', list('/t/none'), '!ENOENT')),
  scenario('a node below a missing node cannot be read', ask('dom0', read('/t/none/a'), '!ENOENT')),
  scenario(
    'rm removes a node with everything below it',
    ask('dom0', write('/t/a/b/c', '1'), OK),
    ask('dom0', rm('/t/a'), OK),
    ask('dom0', read('/t/a/b/c'), '!ENOENT'),
    ask('dom0', read('/t/a'), '!ENOENT'),
    ask('dom0', list('/t'), ''),
  ),
  scenario(
    'a removed and rewritten node has none of its old children',
    ask('dom0', write('/t/a/old', '1'), OK),
    ask('dom0', rm('/t/a'), OK),
    ask('dom0', write('/t/a/new', '1'), OK),
    ask('dom0', list('/t/a'), 'new|'),
  ),
  scenario(
    'rm of a missing node is fine when its parent exists',
    ask('dom0', mkdir('/t'), OK),
    ask('dom0', rm('/t/none'), OK),
  ),
  scenario('rm below a missing node says ENOENT', ask('dom0', rm('/t/none/a'), '!ENOENT')),
  // In oxenstored it empties the store.
  scenarioOfC('rm of the root is refused', ask('dom0', rm('/'), '!EINVAL')),
  scenario(
    'the root can be written and read',
    ask('dom0', write('/', 'root'), OK),
    ask('dom0', read('/'), 'root'),
    ask('dom0', write('/', ''), OK),
  ),
  scenario(
    'a write without a NUL after its path is refused',
    ask('dom0', request(MessageType.write, '/t/a'), '!EINVAL'),
  ),
  scenario(
    'a value of 2048 bytes is fine',
    ask('dom0', write('/t/a', 'v'.repeat(2048)), OK),
    ask('dom0', read('/t/a'), 'v'.repeat(2048)),
  ),
  scenario(
    'a value that fills the payload is for the C daemon only',
    ask('dom0', write('/t/v', 'v'.repeat(4091)), { c: OK, o: '!E2BIG' }),
    ask('dom0', read('/t/v'), { c: 'v'.repeat(4091), o: '!ENOENT' }),
  ),
  scenario(
    "a relative path is below one's own domain",
    ask('dom0', read('name'), 'Domain-0'),
    ask('dom0', write('conformance/a', '1'), OK),
    ask('dom0', read('/local/domain/0/conformance/a'), '1'),
    ask('dom0', rm('conformance'), OK),
  ),
];
