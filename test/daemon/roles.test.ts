/** Who may do what, door by door: a table of routes and people, each cell tried. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ROUTE_NAMES, ROUTES, type Route, type RouteName } from '../../src/api/index.js';
import { openDaemon } from '../../src/client/index.js';
import { attachDevice, type Busid, isPvusbError, listDevices } from '../../src/pvusb/index.js';
import { type ApiStage, apiStage, GROUP, NOBODY, TOKENS } from './stage.js';

type Person = keyof typeof TOKENS;

/** What is asked of each route. All changes are dry runs. */
const ASKED: Partial<Record<RouteName, string>> = {
  list: '?domain=u1',
  controllerInfo: '?domain=u1&devid=0',
  export: '?domain=u1',
  explain: '?device=4-1',
  doctor: '?quick=true',
};

const dryRun = true;
const BODIES: Partial<Record<RouteName, object>> = {
  attach: { domain: 'u1', device: '1-1', dryRun },
  detach: { device: '4-1', dryRun },
  controllerAdd: { domain: 'u1', dryRun },
  controllerRemove: { domain: 'u1', devid: 0, dryRun },
  controllerDestroy: { domain: 'u1', devid: 0, dryRun },
  release: { domain: 'u1', dryRun },
  apply: { domain: 'u1', settings: 'usbctrl=[]\nusbdev=[]\n', dryRun },
  prepare: { domain: 'u1', dryRun },
  reconcile: { dryRun },
  doctorFix: { dryRun },
  answer: { id: 'q1', grant: true, dryRun },
  quiesce: { domain: 'u1', dryRun },
  restore: { token: 'q-token', dryRun },
  forget: { token: 'q-token', dryRun },
  assign: { domain: 'u1', device: '1-1', dryRun },
  unassign: { domain: 'u1', device: '1-1', dryRun },
  import: { format: 'xapi', text: 'ALLOW:' },
};

/** What everybody who is known may do. */
const EVERYONE: readonly Person[] = ['viewer', 'all', 'u1', 'stick', 'admin'];

/**
 * Who may, where that is not everyone. u1 may touch only that guest, stick only the stick LAB0001 (4-1), which u1 has;
 * 1-1 is another device.
 */
const MAY: Partial<Record<RouteName, readonly Person[]>> = {
  attach: ['all', 'u1', 'admin'],
  detach: ['all', 'u1', 'stick', 'admin'],
  controllerAdd: ['all', 'u1', 'stick', 'admin'],
  controllerRemove: ['all', 'u1', 'stick', 'admin'],
  controllerDestroy: ['all', 'u1', 'stick', 'admin'],
  release: ['all', 'u1', 'stick', 'admin'],
  apply: ['all', 'u1', 'stick', 'admin'],
  prepare: ['all', 'u1', 'admin'],
  reconcile: ['all', 'admin'],
  doctorFix: ['all', 'admin'],
  answer: ['all', 'admin'],
  quiesce: ['all', 'u1', 'stick', 'admin'],
  restore: ['all', 'u1', 'stick', 'admin'],
  forget: ['all', 'u1', 'stick', 'admin'],
  assign: ['admin'],
  unassign: ['admin'],
  audit: ['admin'],
};

describe('who may do what', () => {
  let stage: ApiStage;
  before(async () => {
    stage = await apiStage();
    await attachDevice(stage.host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    const { uuid } = (await stage.root.list({ domain: 'u1' }))[0]!;
    const at = { devid: 0, port: 1 };
    await stage.host.quiesced!.write({
      token: 'q-token',
      time: '2026-11-28T12:00:00Z',
      domid: 1,
      name: 'u1',
      uuid,
      isIncomplete: true,
      controllers: [],
      devices: [{ busid: '4-1' as Busid, identity: '46f4:0001;LAB0001;08/06/50', ...at }],
    });
    stage.service.requests = [{ id: 'q1', busid: '1-1', domid: 2, guest: 'u2', rule: 'assignments.conf:2' }];
  });
  after(() => stage[Symbol.asyncDispose]());

  async function statusFor(name: RouteName, token: string | undefined): Promise<number> {
    const { method, path }: Route = ROUTES[name];
    const body = BODIES[name];
    const { status } = await stage.raw({
      method,
      path: `${path}${ASKED[name] ?? ''}`,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return status;
  }

  for (const name of ROUTE_NAMES.filter((one) => one !== 'events')) {
    const { role }: Route = ROUTES[name];
    it(`${name}: ${(MAY[name] ?? ['everyone']).join(', ')}${role === 'anyone' ? ' and anyone' : ''}`, async () => {
      const may = MAY[name] ?? EVERYONE;
      for (const [who, token] of Object.entries(TOKENS) as [Person, string][]) {
        const status = await statusFor(name, token);
        if (may.includes(who)) assert.notEqual(status, 403, `${who} may`);
        else assert.equal(status, 403, `${who} may not`);
        assert.notEqual(status, 400, 'what was asked makes sense');
        assert.notEqual(status, 401);
      }
      const open = role === 'anyone';
      assert.equal(await statusFor(name, undefined), open ? 200 : 401, 'without a token');
      assert.equal(await statusFor(name, 'not-a-token'), open ? 200 : 401, 'with a wrong token');
    });
  }

  const refused = (call: Promise<unknown>): Promise<void> =>
    assert.rejects(call, (error) => isPvusbError(error, 'not-permitted'));

  /** A client at the Unix socket whose peer was named before. */
  const unix = () => openDaemon({ socketPath: stage.socketPath });

  it('by the Unix socket: root, and members of the group, as the kernel says', async () => {
    const { host } = stage;
    const root = stage.peer;
    try {
      stage.peer = NOBODY;
      await refused(unix().version());
      stage.peer = undefined;
      await refused(unix().version());
      for (const peer of [
        { ...NOBODY, gid: GROUP },
        { ...NOBODY, groups: [4, GROUP] },
      ]) {
        stage.peer = peer;
        await unix().version();
        await refused(unix().attach({ domain: 'u2', device: '1-1' }));
        await refused(unix().audit());
        await unix().attach({ domain: 'u1', device: '1-1', dryRun });
      }
    } finally {
      stage.peer = root;
    }
    assert.equal((await listDevices(host)).length, 1);
    await unix().audit();
  });

  it('an operator cannot go beyond its guests and devices by other names, other ports or reasons', async () => {
    const ask = async (who: Person, path: string, body: object) =>
      (await stage.as(who, { method: 'POST', path: `/api/v1/${path}`, body: JSON.stringify(body) })).status;
    const domids = (await stage.root.list()).map(({ domid, name }) => [name, domid] as const);
    const u2 = new Map(domids).get('u2')!;
    for (const domain of ['u2', u2, String(u2)])
      assert.equal(await ask('u1', 'attach', { domain, device: '1-1', dryRun }), 403);
    assert.equal(
      await ask('stick', 'attach', { domain: 'u2', device: '46f4:0001', dryRun }),
      409,
      'u1 has it',
    );
    for (const device of ['1-1', '1.2'])
      assert.equal(await ask('stick', 'attach', { domain: 'u2', device, dryRun }), 403);
    assert.equal(await ask('all', 'attach', { domain: 'u2', device: '1-1', dryRun, force: 'because' }), 403);
    assert.equal(await ask('all', 'attach', { domain: 'u2', device: '1-1', dryRun, always: true }), 403);
    assert.equal(await ask('u1', 'reconcile', { domain: 'u1', dryRun }), 200);
    assert.equal(
      await ask('u1', 'reconcile', { domain: 'u1', moves: true, dryRun }),
      403,
      'from other guests',
    );
    assert.equal(await ask('stick', 'reconcile', { domain: 'u1', dryRun }), 403);
    const settings = 'usbctrl=["version=2"]\nusbdev=["hostbus=1,hostaddr=2"]\n';
    assert.equal(await ask('stick', 'apply', { domain: 'u1', settings, dryRun }), 403);
    // With another device in the guest, the operator of the stick cannot take it away as a part of something else.
    await attachDevice(stage.host, { domain: 'u1', device: '1-1' }, { watchMs: 0 });
    for (const [path, body] of [
      ['release', { domain: 'u1' }],
      ['quiesce', { domain: 'u1' }],
      ['controller/destroy', { domain: 'u1', devid: 0 }],
      ['apply', { domain: 'u1', settings: 'usbctrl=[]\nusbdev=[]\n' }],
      ['detach', { device: '1-1' }],
      ['detach', { domain: 'u1', devid: 0, port: 2 }],
    ] as const)
      assert.equal(await ask('stick', path, { ...body, dryRun }), 403, path);
    // A virtual device belongs to whoever may touch the guest, by whatever name it is taken.
    await stage.host.xenstore.write('/libxl/1/device/vusb/0/virtual/3', 'keyboard');
    for (const body of [{ device: 'keyboard' }, { domain: 'u1', devid: 0, port: 3 }])
      for (const [who, status] of [
        ['u1', 200],
        ['stick', 403],
      ] as const)
        assert.equal(await ask(who, 'detach', { ...body, dryRun }), status, who);
    // Not by way of a real one that xl has put into the same port either.
    const port = '/local/domain/0/backend/vusb/1/0/port/3';
    await stage.host.xenstore.write(port, '4-1');
    for (const body of [{ domain: 'u1', devid: 0, port: 3 }, { device: '4-1' }])
      assert.equal(await ask('stick', 'detach', { ...body, dryRun }), 403);
    await stage.host.xenstore.write(port, '');
    assert.equal((await listDevices(stage.host)).length, 2, 'nothing was changed');
  });
});
