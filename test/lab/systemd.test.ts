/** The package's units under Debian's systemd on a real Xen: how they start, what they may do, how they end. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { installPvusb } from '../../lab/lab/product.js';
import { chosenRelease } from '../../lab/lab/start.js';
import { Ground } from './matrix/ground.js';
import { isPossible, SETUPS, type Setup } from './matrix/setup.js';
import { playScenario } from './scenario.js';
import { BY_SYSTEMD, property } from './services.js';
import { CasesLab } from './with-lab.js';

const API = '--host unix:/run/pvusb/api.sock';
const SOCKETS = 'pvusb-api.socket pvusb-command.socket';
/** `WatchdogSec` of the unit. */
const WATCHDOG_SECONDS = 60;

/** A drop-in for a unit, which systemd knows when this resolves. */
async function dropIn({ lab }: Ground, unit: string, text: string): Promise<void> {
  await lab.dom0(
    `mkdir -p /etc/systemd/system/${unit}.d; cat > /etc/systemd/system/${unit}.d/lab.conf; systemctl daemon-reload`,
    { input: text },
  );
}

async function start(ground: Ground): Promise<void> {
  await BY_SYSTEMD.startBackend(ground);
  await BY_SYSTEMD.startDaemon(ground);
}

describe('under systemd', { concurrency: 1 }, () => {
  let cases: CasesLab;
  const play = (part: (ground: Ground) => Promise<void>, setup: Setup = SETUPS.backend) =>
    cases.play((lab) => part(new Ground(lab, setup)));

  before(async () => {
    cases = await CasesLab.start({ name: 'systemd', init: 'systemd' }, async (lab) => {
      await lab.dom0('mkdir -p /mnt; modprobe -a vfat nls_cp437 nls_ascii');
      await lab.startGuest('pv1');
    });
  });
  after(() => cases?.stop());

  it('the units are what systemd expects', () =>
    play(async ({ lab }) => {
      const { stdout, stderr } = await lab.dom0(
        'systemd-analyze verify --man=no /usr/lib/systemd/system/pvusb*.{service,socket}',
        { mayFail: true },
      );
      const lines = (stdout + stderr).split('\n').filter((line) => line.includes('pvusb'));
      assert.deepEqual(lines, []);
    }));

  it('a client of a socket starts the daemon, which says when it is ready, and stops cleanly', () =>
    play(async (ground) => {
      const { lab } = ground;
      const told = (name: string) => property(ground, 'pvusb', name);
      await lab.dom0(`systemctl start ${SOCKETS}`);
      for (const client of [`${API} list`, 'list']) {
        assert.equal(await told('ActiveState'), 'inactive');
        await ground.pvusb(client);
        await ground.eventually('the daemon is ready', async () => {
          assert.equal(await told('StatusText'), 'Following the host.');
        });
        const { stdout } = await lab.dom0('systemctl status pvusb');
        assert.match(stdout, /active \(running\)/);
        assert.match(stdout, /Status: "Following the host\."/);
        await lab.dom0('systemctl stop pvusb.service');
        assert.equal(await told('Result'), 'success');
        assert.equal(await told('ExecMainStatus'), '0');
      }
    }));

  it('a rule is carried out through plugs, reboots and quiescing, served by pvusb', () =>
    play(async (ground) => {
      // It starts its guest itself.
      await ground.lab.dom0('xl destroy pv1');
      await playScenario(ground, BY_SYSTEMD);
      for (const unit of ['pvusb', 'pvusb-backend'])
        assert.equal(await property(ground, unit, 'NRestarts'), '0');
      await ground.pvusb('unassign pv1 46f4:0001:LAB0001');
      await ground.lab.dom0('pvusb detach 4-1');
    }));

  it('the daemon sees what the host does with a stick, and lends it afterwards', () =>
    play(async (ground) => {
      const { lab } = ground;
      await start(ground);
      const attach = () => lab.dom0(`pvusb ${API} attach pv1 4-1`, { mayFail: true });
      const disk = await ground.disk('4-1');
      await lab.dom0(`mount ${disk} /mnt`);
      assert.match((await attach()).stderr, /sd\w+ on it is mounted at \/mnt/);
      await lab.dom0(`umount /mnt; (setsid sleep 1000 < ${disk} > /dev/null 2>&1 &)`);
      await ground.eventually('the daemon sees the process', async () => {
        assert.match((await attach()).stderr, /sd\w+ on it is open in sleep/);
      });
      await lab.dom0('pkill sleep');
      await ground.pvusb(`${API} attach pv1 4-1`);
      await ground.uses('4-1');
      await ground.reads('stick');
      await ground.pvusb(`${API} detach 4-1`);
      await ground.drivers({ '4-1:1.0': 'usb-storage' });
    }));

  it('the daemon lends a device of two interfaces, adds and removes controllers, and finds nothing wrong', () =>
    play(async (ground) => {
      await start(ground);
      await ground.pvusb(`${API} attach pv1 3-6`);
      await ground.uses('3-6');
      await ground.pvusb(`${API} detach 3-6`);
      await ground.drivers({ '3-6:1.0': 'snd-usb-audio', '3-6:1.1': 'snd-usb-audio' });
      const hubs = await ground.rootHubs();
      await ground.pvusb(`${API} controller add pv1 --ports 3`);
      await ground.seesRootHubs(hubs + 1);
      await ground.pvusb(`${API} controller remove pv1 1`);
      await ground.seesRootHubs(hubs);
      await ground.mend();
    }));

  it('the journal has what the audit has', () =>
    play(async (ground) => {
      const { lab } = ground;
      await start(ground);
      await ground.pvusb(`${API} attach pv1 4-1`);
      await ground.pvusb(`${API} detach 4-1`);
      const fields = async (match: string): Promise<Record<string, string>> => {
        const { stdout } = await lab.dom0(`journalctl -b -o json -n 1 SYSLOG_IDENTIFIER=pvusb ${match}`);
        return JSON.parse(stdout) as Record<string, string>;
      };
      const done = await fields('PVUSB_DEVICE=4-1 PVUSB_ACTION=attach PVUSB_RESULT=done');
      const { _SYSTEMD_UNIT: unit, PVUSB_GUEST: guest, PVUSB_ACTOR: actor, PRIORITY: priority } = done;
      assert.deepEqual([unit, guest, actor, priority], ['pvusb.service', 'pv1', 'root', '6']);
      // A line's own hash is in the file alone.
      assert.match(done.PVUSB_HASH ?? '', /^[0-9a-f]{64}$/);
      await lab.dom0(`cat /var/log/pvusb/* | grep -q '"hash":"${done.PVUSB_HASH}"}$'`);
      await ground.pvusb('audit verify');

      await lab.dom0(`mount ${await ground.disk('4-1')} /mnt`);
      await lab.dom0(`pvusb ${API} attach pv1 4-1`, { mayFail: true });
      await lab.dom0('umount /mnt');
      const failed = await fields('PVUSB_RESULT=failed');
      assert.deepEqual([failed.PVUSB_ERROR, failed.PRIORITY], ['host-needs-it', '4']);
    }));

  it('the daemon is alive for the watchdog, which ends it when it is not', () =>
    play(async (ground) => {
      const { lab } = ground;
      const told = (name: string) => property(ground, 'pvusb', name);
      await start(ground);
      const [pid, restarts] = [await told('MainPID'), Number(await told('NRestarts'))];
      const startedUs = Number(await told('ExecMainStartTimestampMonotonic'));
      await ground.eventually('two intervals pass', async () => {
        const fedUs = Number(await told('WatchdogTimestampMonotonic'));
        assert.ok(fedUs - startedUs > 2e6 * WATCHDOG_SECONDS);
      });
      assert.equal(await told('MainPID'), pid);

      await lab.dom0('systemctl kill -s STOP pvusb');
      await ground.eventually('systemd starts another one', async () => {
        assert.equal(Number(await told('NRestarts')), restarts + 1);
        assert.equal(await told('ActiveState'), 'active');
      });
      assert.match(await BY_SYSTEMD.said(ground), /Watchdog timeout/);
      await ground.pvusb(`${API} list`);
    }));

  it('kill -9 of the backend and of the daemon costs a guest nothing', () =>
    play(async (ground) => {
      await start(ground);
      await ground.pvusb(`${API} attach pv1 4-1`);
      await ground.reads('stick');
      for (const unit of ['pvusb-backend', 'pvusb']) {
        const pid = await property(ground, unit, 'MainPID');
        await ground.lab.dom0(`systemctl kill -s KILL ${unit}`);
        await ground.eventually(`${unit} is started again`, async () => {
          const now = await property(ground, unit, 'MainPID');
          assert.ok(now !== '0' && now !== pid);
        });
      }
      await start(ground);
      await ground.reads('stick');
      await ground.pvusb(`${API} detach 4-1`);
      await ground.uses();
    }));

  it('members of a group use the daemon, and nobody else does, beside a backend', () =>
    play(async (ground) => {
      const { lab } = ground;
      await start(ground);
      await lab.dom0('echo usb:x:1234: >> /etc/group');
      await dropIn(
        ground,
        'pvusb.service',
        '[Service]\nExecStart=\nExecStart=/usr/bin/pvusb serve --group usb\n',
      );
      await dropIn(ground, 'pvusb-api.socket', '[Socket]\nSocketGroup=usb\nSocketMode=0660\n');
      await lab.dom0(`systemctl stop pvusb ${SOCKETS}; systemctl start ${SOCKETS} pvusb`);
      const as = (groups: string) =>
        lab.dom0(`setpriv --reuid 65534 --regid 65534 ${groups} pvusb ${API} list`, { mayFail: true });
      assert.deepEqual(
        [(await as('--groups 1234')).status, (await as('--clear-groups')).status !== 0],
        [0, true],
      );
    }));

  it('a newer package starts both again, and a removed one leaves nothing running', () =>
    play(async (ground) => {
      const { lab } = ground;
      await start(ground);
      await ground.pvusb(`${API} attach pv1 4-1`);
      await ground.reads('stick');
      const pids = async () => [
        await property(ground, 'pvusb', 'MainPID'),
        await property(ground, 'pvusb-backend', 'MainPID'),
      ];
      const before = await pids();
      await installPvusb(lab);
      const now = await pids();
      for (const pid of now) assert.ok(pid !== '0' && !before.includes(pid));
      await start(ground);
      await ground.reads('stick');
      await ground.pvusb('detach 4-1');

      await lab.dom0('dpkg -r pvusb');
      for (const pid of now) await lab.dom0(`test ! -e /proc/${pid}`);
      assert.equal((await lab.dom0('ls /run/pvusb/*.sock', { mayFail: true })).stdout, '');
      assert.doesNotMatch((await lab.dom0('systemctl --failed')).stdout, /pvusb/);
      await installPvusb(lab);
    }));

  if (isPossible(SETUPS.qusb, chosenRelease()))
    it('a rule is carried out through plugs, reboots and quiescing, served by QEMU', () =>
      play((ground) => playScenario(ground, BY_SYSTEMD), SETUPS.qusb));
});
