/** A Chromium: the machine's own, otherwise Debian's with all that it needs, unpacked into the cache. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import { type Found, orSkip, programPath, report } from '../../support/needs.js';
import { cacheFolder, key, libraryFolders, provide, run, unpackPackages } from '../../support/packages.js';

/** What the packages are made for: a newer release gets a folder of its own. */
const RELEASE = 'bookworm';

/** It asks nobody but the daemon under test for anything. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

interface Program {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}

async function launchOrSkip(): Promise<Found<Browser>> {
  const toInstall = 'chromium, or apt and dpkg with Debian’s archive in reach';
  return orSkip('the page in a browser', toInstall, async () => {
    const own = process.env.PVUSB_TEST_UNPACK ? undefined : programPath('chromium');
    const program = own === undefined ? await unpacked() : { path: own, environment: {} };
    const browser = await chromium.launch({
      executablePath: program.path,
      args: ARGUMENTS,
      env: { ...process.env, ...program.environment } as Record<string, string>,
    });
    report(`in Chromium ${browser.version()}`);
    // It would keep the process alive.
    after(() => browser.close());
    return browser;
  });
}

async function unpacked(): Promise<Program> {
  const root = join(cacheFolder(), `chromium-${key(process.arch, RELEASE)}`);
  await provide(root, 'downloading chromium from Debian', async (folder) => {
    await unpackPackages(folder, 'chromium', await neededPackages());
    await mkdir(join(folder, 'fontcache'));
  });
  const fonts = join(root, 'fonts.conf');
  const lines = [join(root, 'usr/share/fonts'), '/usr/share/fonts'].map((folder) => `<dir>${folder}</dir>`);
  await writeFile(
    fonts,
    `<?xml version="1.0"?><fontconfig>${lines.join('')}<cachedir>${join(root, 'fontcache')}</cachedir></fontconfig>`,
  );
  const folders = await libraryFolders(root);
  // libpulse looks for a part of itself in a folder of its own, by an absolute path.
  const libraries = folders.flatMap((folder) => [folder, join(folder, 'pulseaudio')]).join(':');
  return {
    path: join(root, 'usr/lib/chromium/chromium'),
    environment: { LD_LIBRARY_PATH: libraries, FONTCONFIG_FILE: fonts },
  };
}

/** The packages that chromium needs, without those that every Debian has, and a font. */
async function neededPackages(): Promise<string[]> {
  const options = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const asked = ['depends', '--recurse', ...options.map((kind) => `--no-${kind}`), 'chromium'];
  const listed = (await run('apt-cache', asked)).split('\n');
  const names = listed.filter((line) => /^[a-z0-9][a-z0-9+.-]+$/.test(line));
  return [...new Set([...names, 'fonts-dejavu-core'])].filter(
    (name) => !/^(libc6|libc-bin|libgcc-s1|libstdc\+\+6|gcc-\d+-base|dpkg|debconf|perl.*|xdg-.*)$/.test(name),
  );
}

/** One for all tests of a process, or why they are skipped; with `CI=true` that is an error. */
export const { found: browser, skip } = await launchOrSkip();
