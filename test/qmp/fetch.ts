/** A QEMU for the tests: the machine's own, otherwise Debian's, unpacked into the cache folder and never installed. */
import { join } from 'node:path';
import { SUITES, type Suite } from '../../lab/debian/suites.js';
import { orSkip, programPath } from '../support/needs.js';
import { run } from '../support/packages.js';
import { chosenSuite, inSuite, USUAL_SUITE, unpackSuite } from '../support/suites.js';

/** How to start a QEMU. */
export interface QemuKit {
  /** The command with these arguments. */
  command(args: readonly string[]): [command: string, args: string[]];
  /** Added to the machine's. */
  readonly environment: NodeJS.ProcessEnv;
}

const PROGRAM = 'qemu-system-x86_64';

const TO_INSTALL = "qemu-system-x86, or apt and dpkg with Debian's archive in reach";

/** A QEMU that starts, or why the tests that need it are skipped; with `CI=true` a missing one is an error. */
export async function qemuOrSkip(): Promise<{
  readonly kit: QemuKit | undefined;
  readonly skip: string | false;
}> {
  const suite = chosenSuite();
  const tests = suite
    ? `the client on QEMU ${SUITES[suite].qemu} (Debian ${suite})`
    : 'the client on a real QEMU';
  const { found: kit, skip } = await orSkip(tests, TO_INSTALL, async () => {
    const kit = (suite === undefined ? installed() : undefined) ?? (await fetched(USUAL_SUITE));
    const [command, args] = kit.command(['--version']);
    await run('env', [...Object.entries(kit.environment).map((pair) => pair.join('=')), command, ...args]);
    return kit;
  });
  return { kit, skip };
}

function installed(): QemuKit | undefined {
  const program = programPath(PROGRAM);
  return program === undefined ? undefined : { command: (args) => [program, [...args]], environment: {} };
}

async function fetched(suite: Suite): Promise<QemuKit> {
  const place = await unpackSuite(suite, {
    name: 'qemu',
    packages: ['qemu-system-x86'],
    pinned: { package: 'qemu-system-x86', version: SUITES[suite].qemu },
  });
  const [program, data] = [join(place.root, 'usr/bin', PROGRAM), join(place.root, 'usr/share/qemu')];
  return {
    // It would look for its files beside the loader.
    command: (args) => inSuite(place, program, ['-L', data, ...args]),
    environment: { QEMU_MODULE_DIR: join(place.libraries, 'qemu') },
  };
}
