/** The daemon as its users start it, on a simulated host, and pages of it in a browser. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '../../../src/cli/commands/demo.js';
import { publishHost, simulatedEnvironment } from '../../../src/cli/commands/sim.js';
import { addToken } from '../../../src/daemon/index.js';
import { HostControl, SimHost, type World } from '../../../src/sim/index.js';
import { projectRoot } from '../../xenstored/fetch.js';

/** Who uses a page. */
type Who = 'admin' | 'operator' | 'viewer';

/** How a page is opened. */
interface Opening {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
  /** Do not wait until the host is shown. */
  readonly isBare?: boolean;
}

/** A message of the browser that only says that an answer was a refusal, or that nobody answered. */
const OF_NETWORK = /^Failed to load resource: /;

/** A host, its daemon, and pages. */
export class Stage implements AsyncDisposable {
  readonly host: SimHost;
  readonly dir: string;
  readonly #browser: Browser;
  readonly #parts: readonly { close(): Promise<void> }[];
  readonly #tokens: Readonly<Record<Who, string>>;
  readonly #port: number;
  readonly #control: HostControl;
  #daemon: ChildProcess | undefined;
  /** What browsers complained about. */
  readonly complaints: string[] = [];
  /** Answers that were refusals, as the browser logs them. */
  readonly refusals: string[] = [];

  private constructor(
    browser: Browser,
    host: SimHost,
    made: {
      readonly dir: string;
      readonly parts: readonly { close(): Promise<void> }[];
      readonly tokens: Readonly<Record<Who, string>>;
      readonly port: number;
    },
  ) {
    this.#browser = browser;
    this.host = host;
    this.#control = new HostControl(host);
    this.dir = made.dir;
    this.#parts = made.parts;
    this.#tokens = made.tokens;
    this.#port = made.port;
  }

  /** Makes one; `rules` are those of the host. */
  static async open(browser: Browser, world: World, rules = ''): Promise<Stage> {
    const dir = await mkdtemp(join(tmpdir(), 'pvusb-page-'));
    const host = await SimHost.create(world);
    const parts: { close(): Promise<void> }[] = [host];
    await publishHost(host, dir, parts, { ...world, ruleFiles: [{ path: 'assignments.conf', text: rules }] });
    const path = join(dir, 'tokens');
    const tokens = {
      admin: await addToken(path, { name: 'ann', role: 'admin' }),
      operator: await addToken(path, { name: 'otto', role: 'operator' }),
      viewer: await addToken(path, { name: 'vera', role: 'viewer' }),
    };
    const stage = new Stage(browser, host, { dir, parts, tokens, port: await freePort() });
    await stage.start();
    return stage;
  }

  /** Starts the daemon, and waits until it follows the host. */
  async start(): Promise<void> {
    const program = join(projectRoot(), 'dist/cli/main.cjs');
    const options = [
      ...['--listen', this.address, '--tokens', join(this.dir, 'tokens')],
      ...['--socket', join(this.dir, 'api'), '--command-socket', join(this.dir, 'command')],
    ];
    const daemon = spawn(process.execPath, [program, 'serve', ...options], {
      env: { ...process.env, ...simulatedEnvironment(this.dir) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#daemon = daemon;
    let text = '';
    for await (const piece of daemon.stdout!) {
      text += String(piece);
      if (text.includes('Watching ')) break;
    }
    daemon.stdout!.resume();
    assert.match(text, /Watching /, 'the daemon follows the host');
  }

  /** Stops the daemon. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (!daemon || daemon.exitCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await ended;
  }

  /** Where the daemon listens. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The address that signs in. */
  url(who: Who): string {
    return `http://${this.address}/#token=${this.#tokens[who]}`;
  }

  /** A page, in a browser window of its own. */
  async page(who: Who | undefined, opening: Opening = {}): Promise<Page> {
    const { width = 1280, height = 900, colorScheme = 'light', isBare = false } = opening;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme,
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(6_000);
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const text = message.text();
      if (OF_NETWORK.test(text)) this.refusals.push(text);
      else this.complaints.push(text);
    });
    page.on('request', (request) => {
      if (new URL(request.url()).host !== this.address) this.complaints.push(`asks ${request.url()}`);
    });
    await page.goto(who === undefined ? `http://${this.address}/` : this.url(who));
    if (!isBare && who !== undefined) await page.getByText(/^\d+ devices?$/).waitFor();
    return page;
  }

  /** Pulls a device out. */
  async unplug(device: string): Promise<void> {
    await this.#control.perform({ does: 'unplug', device });
  }

  /** Plugs a device in again. */
  async plug(device: string): Promise<void> {
    await this.#control.perform({ does: 'plug', device });
  }

  /** A guest dies, and its toolstack with it: nobody cleans up. */
  async killGuest(domain: string): Promise<void> {
    await this.#control.perform({ does: 'kill-guest', domain, leaveRecords: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const context of this.#browser.contexts()) await context.close();
    await this.stop();
    for (const part of [...this.#parts].reverse()) await part.close();
    await rm(this.dir, { recursive: true, force: true });
    assert.deepEqual(this.complaints, [], 'no browser complained');
  }
}
