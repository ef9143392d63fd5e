/** What USBGuard 1.1.2 (Debian 12) makes of rules: its program, and its library, which reads thousands in a moment. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Found, orSkip, programOf } from '../support/needs.js';
import { cacheFolder, key, libraryFolders, provide, run, unpackPackages } from '../support/packages.js';
import { projectRoot } from '../xenstored/fetch.js';

/** Where they are. */
interface UsbGuard {
  /** `usbguard-rule-parser`. */
  readonly program: string;
  /** The program around the library. */
  readonly asker: string;
  readonly environment: NodeJS.ProcessEnv;
}

const PACKAGES = ['usbguard', 'libusbguard1', 'libqb100', 'libprotobuf32', 'libumockdev0', 'libpcap0.8'];
/** Libraries that most machines have. */
const MORE = ['libsodium23', 'libdbus-1-3', 'libglib2.0-0', 'libffi8', 'libpcre2-8-0'];

const TO_INSTALL = "g++, apt and dpkg, with Debian 12's archive in reach";

/** USBGuard, or why its tests are skipped; with `CI=true` a missing one is an error. */
export function usbGuardOrSkip(): Promise<Found<UsbGuard>> {
  return orSkip('rules beside USBGuard', TO_INSTALL, async () => {
    const packages = [...PACKAGES, ...MORE];
    const root = join(cacheFolder(), `usbguard-${key(process.arch, ...packages)}`);
    await provide(root, 'downloading USBGuard from Debian', (folder) =>
      unpackPackages(folder, 'USBGuard', packages),
    );
    const libraries = await libraryFolders(root);
    // Times of day in rules depend on the time zone.
    const environment = { ...process.env, LD_LIBRARY_PATH: libraries.join(':'), TZ: 'UTC', LC_ALL: 'C' };
    const source = join(projectRoot(), 'test/rules/native/usbguard.cpp');
    const folder = join(cacheFolder(), `usbguard-asker-${key(root, await readFile(source, 'utf8'))}`);
    await provide(folder, "compiling a program around USBGuard's library", async (made) => {
      const paths = libraries.flatMap((path) => [`-L${path}`, `-Wl,-rpath-link,${path}`]);
      const compiler = programOf('g++');
      await run(compiler, [
        '-O1',
        '-Wall',
        '-o',
        join(made, 'asker'),
        source,
        ...paths,
        '-l:libusbguard.so.1',
      ]);
    });
    const found = {
      program: join(root, 'usr/bin/usbguard-rule-parser'),
      asker: join(folder, 'asker'),
      environment,
    };
    // A later USBGuard reads other rules.
    const [glued] = await askUsbGuard(found, [['allowblock']]);
    if (glued !== 'block') throw new Error('Debian has another version of USBGuard than 1.1.2');
    return found;
  });
}

/** A rule, and perhaps a device, that is a rule that says all about it. Bytes, each of which is a character. */
export type Question = readonly [rule: string, device?: string];

/** Each rule as USBGuard prints it; whether it is about the device, where there is one; undefined if it is refused. */
export async function askUsbGuard(
  { asker, environment }: UsbGuard,
  questions: readonly Question[],
): Promise<(string | boolean | undefined)[]> {
  const child = spawn(asker, { env: environment, stdio: ['pipe', 'pipe', 'ignore'] });
  let answers = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    answers += text;
  });
  const hex = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('hex');
  child.stdin.end(questions.map((words) => `${words.map((word) => hex(word!)).join(' ')}\n`).join(''));
  const [status] = await once(child, 'close');
  const lines = answers.split('\n').slice(0, -1);
  if (status !== 0 || lines.length !== questions.length) throw new Error(`the asker ended with ${status}`);
  return lines.map((line) => {
    if (line === '-') return undefined;
    return line.startsWith('=') ? Buffer.from(line.slice(1), 'hex').toString('latin1') : line === '1';
  });
}

/** What the program prints of a file: the rules of the lines until the first that it refuses, and whether there is one. */
export async function readFileWith({ program, environment }: UsbGuard, path: string) {
  const done = await promisify(execFile)(program, ['-f', path], {
    env: environment,
    encoding: 'latin1',
  }).then(
    ({ stdout }) => ({ stdout, isRefused: false }),
    (error: { readonly stdout: string }) => ({ stdout: error.stdout, isRefused: true }),
  );
  const rules = [...done.stdout.matchAll(/^OUTPUT: (.*)$/gm)].map(([, rule]) => rule!);
  return { rules, isRefused: done.isRefused };
}
