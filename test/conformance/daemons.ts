/** Registers the whole table as tests of a real daemon of a Debian suite. */
import { SUITES, type Suite } from '../../lab/debian/suites.js';
import type { DaemonKind } from '../xenstored/daemon.js';
import { kitOrSkip } from '../xenstored/fetch.js';
import { daemonSubject } from './subject.js';
import { conformance } from './suite.js';

const NAMES: Readonly<Record<DaemonKind, string>> = { c: 'the C xenstored', o: 'oxenstored' };

/** Runs the table against a real daemon. */
export async function daemonConformance(kind: DaemonKind, suite: Suite): Promise<void> {
  const { xen } = SUITES[suite];
  const { skip } = await kitOrSkip(suite);
  conformance({
    name: `${NAMES[kind]} of Xen ${xen} (Debian ${suite})`,
    like: { kind, xen },
    real: true,
    skip,
    make: () => daemonSubject(kind, suite),
  });
}
