/** The daemon and the backend in dom0: started by hand, or as the units of the package. */
import assert from 'node:assert/strict';
import type { Ground } from './matrix/ground.js';

/** Who runs them. */
export interface Services {
  /** Has the backend serve; it does already after a reboot of the host if that is what this does. */
  startBackend(ground: Ground): Promise<void>;
  /** Has the daemon answer; the same is true of it. */
  startDaemon(ground: Ground): Promise<void>;
  /** Kills the daemon as kill -9 does. */
  killDaemon(ground: Ground): Promise<void>;
  /** What the daemon has said. */
  said(ground: Ground): Promise<string>;
}

const LOG = '/var/log/pvusb-serve.log';

async function untilAnswers(ground: Ground): Promise<void> {
  await ground.eventually('the daemon answers', async () => {
    await ground.pvusb('--host unix:/run/pvusb/api.sock list');
  });
}

/** Processes that a shell has started. */
export const BY_HAND: Services = {
  startBackend: (ground) => ground.startBackend(),
  async startDaemon(ground) {
    await ground.lab.dom0(`(setsid pvusb serve >> ${LOG} 2>&1 < /dev/null &)`);
    await untilAnswers(ground);
  },
  async killDaemon({ lab }) {
    await lab.dom0('pkill -9 -f "[p]vusb serve"');
  },
  async said({ lab }) {
    return (await lab.dom0(`cat ${LOG}`, { mayFail: true })).stdout;
  },
};

/** Units, enabled once: after a boot and after a kill, systemd starts them. */
export const BY_SYSTEMD: Services = {
  async startBackend(ground) {
    await enable(ground, 'pvusb-backend');
    await ground.eventually('the backend serves', async () => {
      // "serving" of the process that runs now: its number is in each line.
      const { stdout } = await ground.lab.dom0(
        'journalctl -b -u pvusb-backend -o cat _PID=$(systemctl show -P MainPID pvusb-backend)',
      );
      assert.match(stdout, /^serving$/m);
    });
  },
  async startDaemon(ground) {
    await enable(ground, 'pvusb');
    await untilAnswers(ground);
    await ground.eventually('the daemon is active', async () => {
      assert.equal(await property(ground, 'pvusb', 'ActiveState'), 'active');
    });
  },
  async killDaemon({ lab }) {
    await lab.dom0('systemctl kill -s KILL pvusb');
  },
  async said({ lab }) {
    return (await lab.dom0('journalctl -b -u pvusb -u pvusb-backend', { mayFail: true })).stdout;
  },
};

async function enable({ lab }: Ground, unit: string): Promise<void> {
  await lab.dom0(`systemctl is-enabled -q ${unit} || systemctl enable --now ${unit}`);
}

/** What systemd knows about a unit: `NRestarts`, `StatusText`. */
export async function property({ lab }: Ground, unit: string, name: string): Promise<string> {
  return (await lab.dom0(`systemctl show -P ${name} ${unit}`)).stdout.trim();
}
