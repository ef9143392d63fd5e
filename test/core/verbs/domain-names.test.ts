/** Errors, plans and findings call a domain what its user calls it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addController,
  attachDevice,
  describeFinding,
  detachDevice,
  doctor,
  labelDomain,
  type PvusbErrorCode,
  releaseDomain,
  removeController,
} from '../../../src/pvusb/index.js';
import { UNSAFE } from '../../../src/sysfs/text.js';
import { anyText } from '../../support/any-text.js';
import { failure, type Lab, openSimulated } from '../support/test-host.js';

describe('a domain', () => {
  it('is called by its name and its number', () => {
    assert.equal(labelDomain({ domid: 3, name: 'u1' }), 'u1 (domain 3)');
    assert.equal(labelDomain({ domid: 3, name: 'web-2.example' }, 'Domain'), 'web-2.example (domain 3)');
  });

  it('without a name is called by its number; domain 0 always is', () => {
    for (const name of [undefined, '']) assert.equal(labelDomain({ domid: 3, name }), 'domain 3');
    assert.equal(labelDomain({ domid: 3 }, 'Domain'), 'Domain 3');
    assert.equal(labelDomain({ domid: 0, name: 'Domain-0' }), 'domain 0');
  });

  it('has its name in quotation marks where it could be taken for something else', () => {
    const labels: readonly (readonly [name: string, label: string])[] = [
      ['7', '"7" (domain 3)'],
      ['my guest', '"my guest" (domain 3)'],
      ['domain 4', '"domain 4" (domain 3)'],
      ['u1 (domain 4)', '"u1 (domain 4)" (domain 3)'],
      ['a\u001b[2J\n', '"a\\x1b[2J\\x0a" (domain 3)'],
    ];
    for (const [name, label] of labels) assert.equal(labelDomain({ domid: 3, name }), label);
  });

  it('has a label that is safe to print and names its number, whatever its name is', () => {
    fc.assert(
      fc.property(anyText({ maxLength: 300 }), fc.integer({ min: 1, max: 32_751 }), (name, domid) => {
        const label = labelDomain({ domid, name });
        assert.equal(label.search(UNSAFE), -1);
        assert.ok(label.endsWith(`domain ${domid}${name === '' ? '' : ')'}`), label);
      }),
    );
  });
});

describe('a domain that was named', () => {
  /** What is asked of domain 1, and the error. */
  const REFUSALS: readonly (readonly [
    code: PvusbErrorCode,
    says: string,
    act: (lab: Lab, domain: string | number) => Promise<unknown>,
  ])[] = [
    [
      'no-such-controller',
      'u1 (domain 1) has no USB controller 9.',
      ({ host }, domain) => removeController(host, { domain, devid: 9 }),
    ],
    [
      'no-such-port',
      'Controller 0 of u1 (domain 1) has ports 1 to 2, not 7.',
      ({ host }, domain) => attachDevice(host, { domain, device: '4-1', devid: 0, port: 7 }),
    ],
    [
      'port-empty',
      'Nothing is attached to port 2 of controller 0 of u1 (domain 1).',
      ({ host }, domain) => detachDevice(host, { domain, devid: 0, port: 2 }),
    ],
    [
      'port-empty',
      '4-1 is not attached to u1 (domain 1).',
      ({ host }, domain) => detachDevice(host, { domain, device: '4-1' }),
    ],
    [
      'port-in-use',
      'Port 1 of controller 0 of u1 (domain 1) holds 3-8.',
      ({ host }, domain) => attachDevice(host, { domain, device: '4-1', devid: 0, port: 1 }),
    ],
    [
      'already-attached',
      '3-8 is already attached to port 1 of controller 0 of u1 (domain 1).',
      ({ host }, domain) => attachDevice(host, { domain, device: '3-8' }),
    ],
    [
      'controller-exists',
      'u1 (domain 1) already has a USB controller 0.',
      ({ host }, domain) => addController(host, { domain, devid: 0 }),
    ],
    [
      'unsupported-type',
      'u1 (domain 1) is not an HVM guest, so nothing can emulate a USB controller for it.',
      ({ host }, domain) => addController(host, { domain, type: 'devicemodel' }),
    ],
  ];

  async function open(): Promise<Lab> {
    const lab = await openSimulated();
    await lab.add(1, 2);
    await lab.attach(1, '3-8');
    return lab;
  }

  it('is called by that name in every refusal, and by its name too when its number was given', async () => {
    await using lab = await open();
    for (const [code, says, act] of REFUSALS) {
      for (const domain of ['u1', 1]) {
        const { message, ...error } = await failure(() => act(lab, domain));
        assert.deepEqual([error.code, message], [code, says]);
        assert.equal(error.where.domid, 1);
      }
    }
  });

  it('is called by its name in plans', async () => {
    await using lab = await open();
    const { plan } = await releaseDomain(lab.host, { domain: 1 }, { dryRun: true });
    assert.equal(plan.title, 'release u1 (domain 1)');
    assert.equal(plan.steps.at(-1)?.why, 'remove controller 0 of u1 (domain 1)');
  });

  it('is called by its name in what the doctor finds, and by its number where nothing knows the name', async () => {
    await using lab = await open();
    await lab.sim.unplug('3-8');
    const diagnosis = await doctor(lab.host, { settleMs: 0 });
    const { findings, plans } = diagnosis;
    assert.deepEqual(
      findings.map((finding) => describeFinding(finding, diagnosis)),
      ['Port 1 of controller 0 of u1 (domain 1) holds 3-8, which has been pulled out.'],
    );
    assert.equal(plans[0]?.title, 'free port 1 of controller 0 of u1 (domain 1)');
    assert.equal(
      describeFinding(findings[0]!),
      'Port 1 of controller 0 of domain 1 holds 3-8, which has been pulled out.',
    );
  });

  it('cannot put control characters into an error', async () => {
    await using lab = await open();
    await lab.write('/local/domain/1/name', 'a\u001b[2J\u202e');
    const { message } = await failure(() => detachDevice(lab.host, { domain: 1, devid: 0, port: 2 }));
    assert.equal(
      message,
      'Nothing is attached to port 2 of controller 0 of "a\\x1b[2J\\u{202e}" (domain 1).',
    );
  });
});
