import { simSubject } from './subject.js';
import { conformance } from './suite.js';

for (const xen of ['4.17', '4.20'] as const) {
  conformance({
    name: `the simulated xenstored of Xen ${xen}`,
    like: { kind: 'c', xen },
    real: false,
    skip: false,
    make: () => simSubject(xen),
  });
}
