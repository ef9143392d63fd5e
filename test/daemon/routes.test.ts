/** Every route, once through the client: what is asked, what is answered, and that the schemas say all of it. */
import assert from 'node:assert/strict';
import { request as overHttp } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { ROUTE_NAMES, ROUTES, type Route, type RouteName } from '../../src/api/index.js';
import { openDaemon } from '../../src/client/index.js';
import { isPvusbError, listDevices, PvusbError } from '../../src/pvusb/index.js';
import { labWorld } from '../../src/sim/index.js';
import { type ApiStage, apiStage } from './stage.js';

describe('the API, route by route', () => {
  let stage: ApiStage;
  const called = new Set<RouteName>();
  before(async () => {
    const text = 'auto u1 id=0d8c:0014\nask u2 id=046d:c31c\n';
    stage = await apiStage({}, { ...labWorld(), ruleFiles: [{ path: 'assignments.conf', text }] });
  });
  after(() => stage[Symbol.asyncDispose]());

  /** What is sent is what the schema says: the client passes on nothing else. */
  async function sent(name: RouteName, path: string): Promise<unknown> {
    const data = await new Promise<unknown>((resolve, reject) => {
      const sending = overHttp({ socketPath: stage.socketPath, path, headers: { Host: 'x' }, agent: false });
      sending.once('error', reject);
      sending.once('response', (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
        });
        response.once('end', () => resolve(JSON.parse(text)));
      });
      sending.end();
    });
    const { answer }: Route = ROUTES[name];
    assert.deepEqual(answer.parse(data), data, `${name}: the schema has every field`);
    return data;
  }

  it('reads', async () => {
    const { root } = stage;
    const calls: Partial<Record<RouteName, () => Promise<unknown>>> = {
      health: root.health,
      readiness: root.readiness,
      metrics: root.metrics,
      openapi: root.openapi,
      version: root.version,
      whoami: root.whoami,
      inventory: root.inventory,
      devices: () => root.devices({ all: true }),
      list: () => root.list({ domain: 'u1' }),
      doctor: () => root.doctor({ quick: true }),
      assignments: root.assignments,
      explain: () => root.explain({ device: '4-1', domain: 'u1' }),
      check: root.check,
      requests: root.requests,
      audit: () => root.audit({ limit: 5 }),
      import: () => root.import({ format: 'usbguard', text: 'allow\nblock id 1234:abcd\n', guest: 'u1' }),
    };
    for (const [name, call] of Object.entries(calls)) {
      await call();
      called.add(name as RouteName);
    }
    const all = await root.devices({ all: true });
    const some = await root.devices();
    assert.ok(all.length > some.length, 'root hubs only if asked for');
    const stick = some.find(({ busid }) => busid === '4-1')!;
    assert.deepEqual([stick.assignable, stick.usedBy], [true, 'usb-storage']);
    const [first] = await root.assignments();
    assert.deepEqual([first?.guest, first?.mode, first?.line], ['u1', 'auto', 1]);
  });

  it('attaches, and tells where, in a dry run too', async () => {
    const { root, host, service } = stage;
    const asked = { domain: 'u1', device: '4-1', operation: 'my-attach' };
    const planned = await root.attach({ ...asked, dryRun: true });
    assert.equal(planned.dryRun, true);
    assert.match(planned.plans[0]!.text, /^attach 4-1 to port 1 of controller 0/);
    assert.equal(planned.plans[0]!.steps[0]!.act.do, 'commit');
    assert.deepEqual(await listDevices(host), [], 'nothing was changed');
    const { result, operation } = await root.attach(asked);
    assert.deepEqual([result.busid, result.devid, result.port], ['4-1', 0, 1]);
    assert.equal(operation, 'my-attach');
    assert.deepEqual(
      (await listDevices(host)).map(({ busid }) => busid),
      ['4-1'],
    );
    const [, last] = service.asked;
    assert.deepEqual([last?.what, last?.by.name, last?.by.via], ['attach', 'root', 'unix']);
    called.add('attach');
  });

  it('shows what is attached, with every field that there is', async () => {
    const { root } = stage;
    const [domain] = await root.list({ domain: 'u1' });
    assert.equal(domain?.controllers[0]?.ports[0]?.device?.busid, '4-1');
    const info = await root.controllerInfo({ domain: 'u1', devid: 0 });
    assert.equal(info.ports[0]?.busid, '4-1');
    const exported = await root.export({ domain: 'u1' });
    assert.match(exported.text, /usbdev/);
    const v1 = '/api/v1';
    await sent('inventory', `${v1}/inventory`);
    await sent('devices', `${v1}/devices?all=true`);
    await sent('list', `${v1}/list`);
    await sent('controllerInfo', `${v1}/controller/info?domain=u1&devid=0`);
    await sent('export', `${v1}/export?domain=u1`);
    await sent('assignments', `${v1}/assignments`);
    await sent('explain', `${v1}/explain?device=4-1`);
    await sent('check', `${v1}/check`);
    called.add('controllerInfo').add('export').add('list');
  });

  it('takes back', async () => {
    const { root, host } = stage;
    const { result } = await root.detach({ device: '4-1' });
    assert.deepEqual([result.busid, result.port], ['4-1', 1]);
    await root.attach({ domain: 'u1', device: '4-1' });
    await root.detach({ domain: 'u1', devid: 0, port: 1 });
    assert.deepEqual(await listDevices(host), []);
    called.add('detach');
  });

  it('adds and removes controllers, and releases a guest', async () => {
    const { root } = stage;
    const { result } = await root.controllerAdd({ domain: 'u2', ports: 4 });
    assert.equal(result.ports, 4);
    const { devid } = result;
    assert.deepEqual((await root.controllerDestroy({ domain: 'u2', devid })).result.devid, devid);
    const again = await root.controllerAdd({ domain: 'u2' });
    await root.controllerRemove({ domain: 'u2', devid: again.result.devid });
    const released = await root.release({ domain: 'u1' });
    assert.deepEqual(released.result.devids, [0]);
    called.add('controllerAdd').add('controllerDestroy').add('controllerRemove').add('release');
  });

  it('applies settings, and prepares a guest', async () => {
    const { root } = stage;
    const { devices } = await root.inventory();
    const { bus, address } = devices.find(({ busid }) => busid === '4-1')!;
    const settings = `name = "u1"\nusbctrl = ["version=2,ports=4"]\nusbdev = ["hostbus=${bus},hostaddr=${address}"]\n`;
    const { result } = await root.apply({ domain: 'u1', settings });
    assert.deepEqual(
      result.changes.map(({ change }) => change),
      ['added', 'attached'],
    );
    const prepared = await root.prepare({ domain: 'u1', settings, waitS: 0, dryRun: true });
    assert.equal(prepared.dryRun, true);
    called.add('apply').add('prepare');
  });

  it('makes and removes rules, and carries them out', async () => {
    const { root, host } = stage;
    const { result } = await root.assign({ domain: 'u2', device: '1-1', by: ['socket'], mode: 'deny' });
    assert.match(result.rule, /^deny u2 socket=/);
    const text = async (): Promise<string> => (await host.rules!.read())[0]!.text;
    assert.ok((await text()).includes(result.rule));
    const removed = await root.unassign({ rule: 'assignments.conf:3' });
    assert.deepEqual(removed.result.removed, [result.rule]);
    assert.ok(!(await text()).includes(result.rule));
    // What was removed is made again as it was; what is not one rule is not.
    const again = { rule: result.rule };
    assert.deepEqual((await root.assign({ ...again, dryRun: true })).result.added, true);
    assert.ok(!(await text()).includes(result.rule));
    assert.deepEqual((await root.assign(again)).result, { ...again, by: ['socket'], added: true });
    assert.deepEqual((await root.assign(again)).result.added, false);
    assert.equal((await text()).split('\n').filter((line) => line === result.rule).length, 1);
    for (const rule of ['# nothing', 'auto u2', 'auto u2 id=1234:5678\nauto u2 id=1234:5679'])
      await assert.rejects(root.assign({ rule }), { code: 'invalid-argument' }, rule);
    const reconciled = await root.reconcile({ domain: 'u1', dryRun: true });
    assert.ok(reconciled.result.assignments.length >= 2);
    called.add('assign').add('unassign').add('reconcile');
  });

  it('repairs', async () => {
    const { root, host } = stage;
    await host.sim.unplug('4-1');
    const { findings, healthy } = await root.doctor({ quick: true });
    assert.deepEqual([healthy, findings[0]?.finding], [false, 'missing-device']);
    assert.match(findings[0]!.plan!.text, /4-1/);
    const planned = await root.doctorFix({ dryRun: true });
    assert.equal(planned.result.remaining.length, findings.length);
    called.add('doctorFix');
  });

  it('answers requests', async () => {
    const { root, service } = stage;
    const { domid } = (await root.list({ domain: 'u2' }))[0]!;
    service.requests = [{ id: 'q1', busid: '1-1', domid, guest: 'u2', rule: 'assignments.conf:2' }];
    assert.equal((await root.requests())[0]?.id, 'q1');
    await root.answer({ id: 'q1', grant: false });
    assert.deepEqual(await root.requests(), []);
    await assert.rejects(root.answer({ id: 'q1', grant: true }), (error) =>
      isPvusbError(error, 'no-such-request'),
    );
    called.add('answer');
  });

  it('quiesces a guest, and restores it', async () => {
    const { root, host } = stage;
    await root.controllerAdd({ domain: 'u2' });
    await root.attach({ domain: 'u2', device: '3-6' });
    const planned = await root.quiesce({ domain: 'u2', dryRun: true });
    const { result } = await root.quiesce({ domain: 'u2' });
    assert.deepEqual(result, planned.result);
    assert.deepEqual([result.busids, await listDevices(host, { domain: 'u2' })], [['3-6'], []]);
    assert.equal((await root.quiesced())[0]?.token, result.token);
    await sent('quiesced', '/api/v1/quiesced');
    await sent('inventory', '/api/v1/inventory');
    const restored = await root.restore({ token: result.token });
    assert.deepEqual(
      restored.result.changes.map(({ change }) => change),
      ['attached'],
    );
    assert.deepEqual([restored.result.unrestored, await root.quiesced()], [[], []]);
    const { token } = (await root.quiesce({ domain: 'u2', controllers: true })).result;
    assert.equal((await root.forget({ token: 'u2', dryRun: true })).result.token, token);
    assert.equal((await root.forget({ token: 'u2' })).result.token, token);
    await assert.rejects(root.restore({ token }), (error) => isPvusbError(error, 'no-such-token'));
    called.add('quiesce').add('quiesced').add('restore').add('forget');
  });

  it('sends events: the steps of an operation, by its id', async () => {
    const { root } = stage;
    const told: string[] = [];
    for await (const { event } of root.events()) {
      if (event.event === 'start') void root.controllerAdd({ domain: 'u2', operation: 'mine' });
      if (event.event === 'step' && event.operation === 'mine') told.push(`${event.phase} ${event.step}`);
      if (event.event === 'operation' && event.phase !== 'begin') break;
    }
    assert.deepEqual(told.slice(0, 2), ['begin 1', 'done 1']);
    called.add('events');
  });

  it('tells errors as the library has them', async () => {
    const { root } = stage;
    await assert.rejects(root.attach({ domain: 'nobody', device: '1-1' }), (error) => {
      assert.ok(error instanceof PvusbError);
      assert.equal(error.code, 'no-such-domain');
      assert.match(error.remedy, /pvusb list/);
      return true;
    });
    await assert.rejects(root.detach({ device: '1-1' }), (error) => isPvusbError(error, 'port-empty'));
    stage.service.state = 'unreachable';
    try {
      await assert.rejects(root.devices(), (error) => isPvusbError(error, 'xenstore-unreachable'));
      assert.deepEqual(await root.readiness(), { state: 'unreachable' });
      assert.match(await root.metrics(), /pvusb_state\{state="unreachable"\} 1\n/);
    } finally {
      stage.service.state = 'ready';
    }
    const gone = openDaemon({ socketPath: `${stage.socketPath}-not` });
    await assert.rejects(gone.version(), (error) => isPvusbError(error, 'daemon-unreachable'));
  });

  it('was asked for all of it', () => {
    assert.deepEqual(
      ROUTE_NAMES.filter((name) => !called.has(name)),
      [],
    );
    assert.deepEqual(stage.faults, []);
  });
});
