/** A folder in place of /var/lib/xen, with one domain in it, and processes that use it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The domain of the recorded files. */
export const DOMAIN = { domid: 2, uuid: '01e4bb79-e7ca-4b67-86a3-012082fb292f' } as const;

/** A folder for one test. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'pvusb-libxl-'));

  constructor() {
    // Users other than root may enter, so that the files decide what they may not do.
    chmodSync(this.path, 0o755);
  }

  /** One of the domain's files. */
  file(kind: 'd' | 'n' | 'l'): string {
    const of = kind === 'l' ? 'domain-userdata-lock' : 'libxl-json';
    return join(this.path, `userdata-${kind}.${DOMAIN.domid}.${DOMAIN.uuid}.${of}`);
  }

  /** Which of the domain's files exist: `d`, `l`, `n`; and the names of all others. */
  get files(): string[] {
    const names = { [this.file('d')]: 'd', [this.file('n')]: 'n', [this.file('l')]: 'l' };
    return readdirSync(this.path)
      .map((name) => names[join(this.path, name)] ?? name)
      .sort();
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A process that was started for a test and is killed at its end. */
export class Actor implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  /** What the process has written to stderr. */
  complaints = '';
  /** The exit status, or the signal's name. */
  readonly ended: Promise<number | string>;
  readonly #waiting: { readonly line: string; readonly resolve: () => void }[] = [];

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr!.on('data', (text: Buffer) => {
      this.complaints += text;
    });
    const lines = createInterface({ input: this.child.stdout! });
    lines.on('line', (line) => {
      this.lines.push(line);
      for (const { line: wanted, resolve } of this.#waiting) if (line === wanted) resolve();
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (status, signal) => resolve(status ?? signal!));
    });
  }

  /** One that runs a script in this folder, compiled. */
  static script(name: string, ...args: string[]): Actor {
    return new Actor(process.execPath, [scriptPath(name), ...args]);
  }

  /** The same, with files of at most this many bytes (whole kibibytes). */
  static limited(bytes: number, name: string, ...args: string[]): Actor {
    const command = `ulimit -f ${bytes / 1024}; exec "$@"`;
    return new Actor('bash', ['--norc', '-c', command, 'bash', process.execPath, scriptPath(name), ...args]);
  }

  /** Resolves when the process has printed a line. */
  async says(line: string): Promise<void> {
    if (this.lines.includes(line)) return;
    const said = new Promise<void>((resolve) => this.#waiting.push({ line, resolve }));
    const gone = this.ended.then((status) => {
      throw new Error(`ended (${status}) without saying ${line}: ${this.complaints}`);
    });
    await Promise.race([said, gone]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

function scriptPath(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}
