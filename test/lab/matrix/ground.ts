/** Where a case runs: a lab, a guest in it, and pvusb and xl in its dom0. */
import assert from 'node:assert/strict';
import type { Outcome } from '../../../lab/base/process.js';
import { STICKS, type StickName, stickMd5 } from '../../../lab/build/media.js';
import type { Lab } from '../../../lab/lab/lab.js';
import type { Setup } from './setup.js';

/** A port that `pvusb list --json` shows with something in it. */
interface Lent {
  readonly devid: number;
  readonly port: number;
  readonly busid: string;
  readonly state: string;
}

interface ListedDomain {
  readonly domid: number;
  readonly controllers: readonly {
    readonly devid: number;
    readonly ports: readonly { readonly port: number; readonly busid?: string; readonly state?: string }[];
  }[];
}

/** How long a guest may take for what takes it a second on a real machine: the host of the lab may be busy, too. */
const GUEST_SECONDS = 300;

/** Where `pvusb backend` says which process it is. */
const BACKEND = '/libxl/pvusb/backend';
const BACKEND_LOG = '/var/log/pvusb-backend.log';

const WATCH_LOG = '/tmp/watch.log';
const REMEMBERED = '/root/remembered.cfg';

/** A lab with a guest. */
export class Ground {
  readonly lab: Lab;
  readonly setup: Setup;

  constructor(lab: Lab, setup: Setup) {
    this.lab = lab;
    this.setup = setup;
  }

  /** The guest's name. */
  get guest(): string {
    return this.setup.guest;
  }

  /** Runs `pvusb`, which must succeed, and returns what it prints. */
  async pvusb(words: string): Promise<string> {
    return (await this.lab.dom0(`pvusb ${words}`)).stdout;
  }

  /** Runs `pvusb`, which must refuse with this code. */
  async refused(code: string, words: string): Promise<void> {
    const { status, stderr } = await this.lab.dom0(`pvusb ${words}`, { mayFail: true });
    assert.notEqual(status, 0, `pvusb ${words} succeeded`);
    assert.ok(stderr.includes(`(${code})`), `pvusb ${words}: ${stderr}`);
  }

  /** Runs `xl`, which must succeed. */
  async xl(words: string): Promise<string> {
    return (await this.lab.dom0(`xl ${words}`)).stdout;
  }

  /** Runs `xl`, which may fail. */
  xlMayFail(words: string): Promise<Outcome> {
    return this.lab.dom0(`xl ${words}`, { mayFail: true });
  }

  /** `hostbus=4 hostaddr=2` of a device, as xl names it. */
  async address(busid: string): Promise<string> {
    const folder = `/sys/bus/usb/devices/${busid}`;
    const { stdout } = await this.lab.dom0(
      `echo hostbus=$(cat ${folder}/busnum) hostaddr=$(cat ${folder}/devnum)`,
    );
    return stdout.trim();
  }

  /** The disk of a stick of dom0, `/dev/sda`: its name changes when it is given back, which takes it a second. */
  async disk(busid: string): Promise<string> {
    const { stdout } = await this.lab.dom0(
      `until block=$(ls -d /sys/bus/usb/devices/${busid}:1.0/host*/target*/*/block/* 2> /dev/null)
       do udevadm settle; done; udevadm settle; echo /dev/\${block##*/}`,
    );
    return stdout.trim();
  }

  /** Starts `pvusb backend`, and waits until it serves. */
  async startBackend(...words: readonly string[]): Promise<void> {
    const command = ['pvusb backend', ...words].join(' ');
    await this.lab.dom0(`(setsid ${command} > ${BACKEND_LOG} 2>&1 < /dev/null &)`);
    await this.eventually('the backend serves', async () => {
      assert.match(await this.backendSays(), /^serving$/m);
    });
  }

  /** Kills `pvusb backend` with a signal; it is dead when this resolves. */
  async killBackend(signal: 'KILL' | 'TERM'): Promise<void> {
    await this.lab.dom0(
      `pid=$(xenstore-read ${BACKEND} | cut -d ' ' -f 1); kill -${signal} $pid
       timeout 60 tail --pid=$pid -f /dev/null`,
    );
  }

  /** What the backend has said. */
  async backendSays(): Promise<string> {
    return (await this.lab.dom0(`cat ${BACKEND_LOG}`)).stdout;
  }

  /** Sends a signal to the guest's QEMU: `KILL`, `STOP`, `0` to see whether it is alive. Returns whether it could be sent. */
  async signalQemu(signal: string): Promise<boolean> {
    const domid = (await this.xl(`domid ${this.guest}`)).trim();
    const { stdout: pid } = await this.lab.dom0(
      `xenstore-read /local/domain/${domid}/image/device-model-pid`,
    );
    return (await this.lab.dom0(`kill -${signal} ${pid.trim()}`, { mayFail: true })).status === 0;
  }

  /** What the guest has, by port. */
  async lent(): Promise<Lent[]> {
    const [domain] = JSON.parse(await this.pvusb(`list ${this.guest} --json`)) as ListedDomain[];
    return (domain?.controllers ?? []).flatMap(({ devid, ports }) =>
      ports.flatMap(({ port, busid, state = '' }) =>
        busid === undefined ? [] : { devid, port, busid, state },
      ),
    );
  }

  /** Fails unless the guest comes to use exactly these devices. */
  async uses(...busids: readonly string[]): Promise<void> {
    const wanted = busids.map((busid) => `${busid} in-use`).sort();
    // A device on an emulated controller is shown as used once the guest has configured it.
    await this.eventually(`${this.guest} uses ${busids.join(', ') || 'nothing'}`, async () => {
      const now = (await this.lent()).map(({ busid, state }) => `${busid} ${state}`).sort();
      assert.deepEqual(now, wanted);
    });
  }

  /** Fails unless the guest reads from a stick what is on it. */
  async reads(stick: StickName): Promise<void> {
    if (!this.setup.hasData) return;
    const { stdout } = await this.lab.guest(
      this.guest,
      `stick-md5 ${STICKS[stick]} data.bin ${GUEST_SECONDS / 2}`,
      {
        withinSeconds: GUEST_SECONDS,
      },
    );
    assert.equal(stdout.trim(), stickMd5(stick));
  }

  /** Fails unless the guest comes to see such a device, or no longer sees one. */
  async sees(text: string, there: boolean): Promise<void> {
    if (!this.setup.hasData) return;
    await this.eventually(`${this.guest} ${there ? 'sees' : 'does not see'} ${text}`, async () => {
      const { stdout } = await this.lab.guest(this.guest, 'usb-list');
      assert.equal(stdout.includes(text), there, stdout);
    });
  }

  /** How many USB controllers the guest sees. */
  async rootHubs(): Promise<number> {
    return (await this.lab.guest(this.guest, 'usb-list')).stdout.match(/^usb\d+ /gm)?.length ?? 0;
  }

  /** Fails unless the guest comes to see this many USB controllers. */
  async seesRootHubs(count: number): Promise<void> {
    await this.eventually(`${this.guest} sees ${count} controllers`, async () => {
      assert.equal(await this.rootHubs(), count);
    });
  }

  /** Fails unless each interface has one of these drivers: `3-6:1.0` on `snd-usb-audio`. */
  async drivers(wanted: Readonly<Record<string, string>>): Promise<void> {
    const drivers = await this.lab.drivers();
    const now = Object.fromEntries(Object.keys(wanted).map((intf) => [intf, drivers[intf] ?? 'gone']));
    assert.deepEqual(now, wanted);
  }

  /** Looks repeatedly until it holds. Each look takes time, so there is no pause between them. */
  async eventually(what: string, check: () => Promise<void>): Promise<void> {
    const endMs = Date.now() + GUEST_SECONDS * 1000;
    for (;;) {
      try {
        return await check();
      } catch (error) {
        if (Date.now() > endMs) throw new Error(`${what}: not within ${GUEST_SECONDS} s`, { cause: error });
      }
    }
  }

  /** Remembers which controllers and devices the guest has. */
  async remember(): Promise<void> {
    await this.lab.dom0(`pvusb export ${this.guest} > ${REMEMBERED}`);
  }

  /** Gives the guest exactly what it had then. */
  async restore(): Promise<void> {
    await this.pvusb(`apply ${this.guest} ${REMEMBERED}`);
  }

  /** Starts `pvusb watch`, and waits until it has said this. */
  async startWatch(says = 'Watching'): Promise<void> {
    await this.lab.dom0(`rm -f ${WATCH_LOG}; pvusb watch > ${WATCH_LOG} 2>&1 &`);
    await this.eventually('the watch is at work', async () => {
      assert.ok((await this.watchSays()).includes(says));
    });
  }

  /** What the watch has said. */
  async watchSays(): Promise<string> {
    return (await this.lab.dom0(`cat ${WATCH_LOG}`, { mayFail: true })).stdout;
  }

  /** Ends the watch. */
  async stopWatch(): Promise<void> {
    await this.lab.dom0('pkill -f "pvusb watch"', { mayFail: true });
  }

  /** Has the doctor fix everything, and fails if something is still wrong. */
  async mend(): Promise<void> {
    const { stdout } = await this.lab.dom0('pvusb doctor --fix', { mayFail: true });
    assert.match(stdout, /(Nothing is wrong\.|nothing is wrong now\.)/, stdout);
  }
}

/** What is run on a ground. */
export interface Case {
  /** What is shown: `a device is read by the guest`. */
  readonly sentence: string;
  /** Not for every setup. */
  readonly only?: (setup: Setup) => boolean;
  /** The guest does not survive it, so one is started just for it. */
  readonly endsGuest?: boolean;
  /** Settings of that guest, in xl's form. */
  readonly settings?: readonly string[];
  run(ground: Ground): Promise<void>;
}
