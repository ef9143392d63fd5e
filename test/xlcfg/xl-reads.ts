/** What xl's own reader (libxlutil, Debian's) makes of configuration files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, key, provide, run } from '../support/packages.js';
import { type Kit, projectRoot } from '../xenstored/fetch.js';

/** The value of a setting. A list in a list is undefined. */
type Value = string | readonly (string | undefined)[];

/** The settings of a text by name, or why there are none. */
export type XlReading = ReadonlyMap<string, Value> | 'refused' | 'crashed';

/** Asks libxlutil for the settings with these names in each text, in bytes. Their values are ISO 8859-1 text. */
export async function xlReads(
  kit: Kit,
  texts: readonly Uint8Array[],
  names: readonly string[],
): Promise<XlReading[]> {
  const reader = spawn(await compiled(kit), [...names], { stdio: ['pipe', 'pipe', 'inherit'] });
  let answers = '';
  reader.stdout.setEncoding('latin1').on('data', (text: string) => {
    answers += text;
  });
  for (const text of texts) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    reader.stdin.write(length);
    reader.stdin.write(text);
  }
  reader.stdin.end();
  const [status] = await once(reader, 'close');
  const lines = answers.split('\n').slice(0, -1);
  if (status !== 0 || lines.length !== texts.length) throw new Error(`xlread ended with ${status}`);
  return lines.map(parseAnswer);
}

async function compiled(kit: Kit): Promise<string> {
  const source = join(projectRoot(), 'test/xlcfg/native/xlread.c');
  const folder = join(cacheFolder(), `xlread-${key(kit.root, await readFile(source, 'utf8'))}`);
  const program = join(folder, 'xlread');
  await provide(folder, "compiling a program around xl's reader", async (made) => {
    const library = join(kit.libraries, 'libxlutil.a');
    const flags = ['-O2', '-Wall', '-I', join(kit.root, 'usr/include')];
    await run('gcc', [...flags, '-o', join(made, 'xlread'), source, library]);
  });
  return program;
}

function parseAnswer(line: string): XlReading {
  if (line === 'refused' || line === 'crashed') return line;
  const [, ...values] = line.split(' ');
  const text = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');
  return new Map(
    values.map((value): [string, Value] => {
      const [, name, list, string] = /^([^=]*)=(?:\[(.*)\]|(.*))$/.exec(value)!;
      if (list === undefined) return [name!, text(string!)];
      return [
        name!,
        list
          .split(',')
          .slice(0, -1)
          .map((item) => (item === '~' ? undefined : text(item))),
      ];
    }),
  );
}
