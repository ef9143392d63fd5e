/** Loop devices of this machine, in use in all ways, and a made-up sysfs that has them on USB. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openHostUses } from '../../src/hostuse/index.js';
import { device, type Tree, told, writeTrees } from './tree.js';

/** Runs a program to its end. */
export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** A machine on which things are mounted and mapped; all of it is undone, the last first. */
export class Machine {
  readonly #test: TestContext;
  readonly root: string;
  readonly #undos: (() => unknown)[] = [];

  constructor(test: TestContext) {
    this.#test = test;
    this.root = writeTrees(test);
  }

  undo(act: () => unknown): void {
    this.#undos.push(act);
  }

  /** A loop device over a file of 128 MiB, which takes no room. */
  loop(): { readonly name: string; readonly path: string } {
    const file = join(this.root, `disk${this.#undos.length}.img`);
    writeFileSync(file, '');
    truncateSync(file, 128 * 2 ** 20);
    const path = run('losetup', '-f', '--show', file);
    this.undo(() => run('losetup', '-d', path));
    return { name: path.slice('/dev/'.length), path };
  }

  /** A folder with the file system of a disk. */
  mount(path: string): string {
    const at = join(this.root, 'at here');
    mkdirSync(at);
    run('mount', path, at);
    this.undo(() => run('umount', at));
    return at;
  }

  /** What is found about loop devices that a made-up sysfs has on USB. */
  async uses(names: readonly string[], thorough = true): Promise<string[]> {
    const root = this.write(...names.map(onUsb), ...btrfs());
    const uses = openHostUses({ sysfsRoot: join(root, 'sys'), procRoot: '/proc', devRoot: '/dev' });
    return (await uses.usesOf([device('1-1')], { thorough })).map(told);
  }

  /** A host of its own. */
  write(...trees: readonly Tree[]): string {
    return writeTrees(this.#test, ...trees);
  }

  end(): void {
    for (const act of this.#undos.reverse()) act();
  }
}

/** A disk as it is, but on USB, with what is made of it. */
export function onUsb(name: string): Tree {
  const folder = `devices/pci0000:00/usb1/1-1/1-1:1.0/host0/block/${name}`;
  const real = `/sys/class/block/${name}`;
  const holders = readdirSync(`${real}/holders`);
  const made = holders.map((holder): Tree => {
    const [own, at] = [`/sys/class/block/${holder}`, `sys/devices/virtual/block/${holder}`];
    const keys = ['dev', 'dm/name', 'dm/uuid'].filter((key) => existsSync(`${own}/${key}`));
    return {
      ...Object.fromEntries(keys.map((key) => [`${at}/${key}`, readFileSync(`${own}/${key}`, 'utf8')])),
      [`sys/class/block/${holder}`]: `-> ../../devices/virtual/block/${holder}`,
      [`sys/${folder}/holders/${holder}`]: `-> ../${holder}`,
    };
  });
  return Object.assign(
    {
      [`sys/${folder}/dev`]: readFileSync(`${real}/dev`, 'utf8'),
      [`sys/${folder}/holders/`]: '',
      [`sys/class/block/${name}`]: `-> ../../${folder}`,
    },
    ...made,
  ) as Tree;
}

/** The disks of each mounted btrfs, as the kernel has them. */
function btrfs(): Tree[] {
  const folder = '/sys/fs/btrfs';
  const all = existsSync(folder)
    ? readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/devices`))
    : [];
  return all.map((uuid) =>
    Object.fromEntries(
      readdirSync(`${folder}/${uuid}/devices`).map((disk) => [`sys/fs/btrfs/${uuid}/devices/${disk}/`, '']),
    ),
  );
}

/** A folder to mount on. */
export function mountPoint({ root }: Machine): string {
  mkdirSync(join(root, 'btrfs'));
  return join(root, 'btrfs');
}
