/**
 * Plan scripts: one file says what a host is like, what is done to it, and the plans that follow, in full.
 *
 * ```
 * # What this is about.
 * world lab
 * add u1 ports=2
 *
 * > attach u1 4-1
 *   busid=4-1 devid=0 domid=1 port=1 type=pv
 *   attach 4-1 to port 1 of controller 0 of u1 (domain 1) (on failure: undo)
 *   - claim port 1 ...
 * ```
 *
 * A line is a command (`script-commands.ts`), carried out on the simulated host. After `>` it is a dry run, and below
 * it, indented, is what it would say and do, or why it is refused. `world` begins a new host.
 */
import { plannedText, run } from './script-commands.js';
import { ScriptHost } from './script-host.js';

/** Returns the text of what a command would do; can be called again, since it changes nothing. */
type Planning = () => Promise<string>;

/**
 * Runs a script, and returns it with the plans as they are now. `each` is called for every plan that is made. Rejects,
 * naming the line, for one that is not a command or that fails.
 */
export async function playScript(
  script: string,
  each: (plan: Planning) => Promise<string> = (plan) => plan(),
): Promise<string> {
  const played: string[] = [];
  let host: ScriptHost | undefined;
  const needed = (): ScriptHost => {
    if (!host) throw new Error('there is no world yet');
    return host;
  };
  const play = async (line: string): Promise<void> => {
    if (line.startsWith('world ')) {
      await host?.[Symbol.asyncDispose]();
      host = await ScriptHost.open(line.slice('world '.length));
    } else if (line.startsWith('> ')) {
      const on = needed();
      const text = await each(() => plannedText(on, line.slice('> '.length)));
      played.push(text.replace(/^(?=.)/gm, '  '), '');
    } else if (line !== '' && !line.startsWith('#')) {
      await run(needed(), line);
    }
  };
  try {
    for (const { line, at } of withoutPlans(script)) {
      played.push(line);
      try {
        await play(line);
      } catch (error) {
        throw new Error(`line ${at}, "${line}": ${error}`, { cause: error });
      }
    }
  } finally {
    await host?.[Symbol.asyncDispose]();
  }
  return `${played.join('\n').trimEnd()}\n`;
}

/** The lines without the plans and the empty ones after them; a world that spans several lines is one line. */
function withoutPlans(script: string): { readonly line: string; readonly at: number }[] {
  const found: { line: string; readonly at: number }[] = [];
  let isPlan = false;
  let isWorld = false;
  for (const [index, line] of script.split('\n').entries()) {
    const isIndented = line === '' || line.startsWith(' ');
    if (isWorld) {
      found.at(-1)!.line += `\n${line}`;
      isWorld = !line.startsWith('}');
    } else if (!(isPlan && isIndented)) {
      found.push({ line, at: index + 1 });
      isPlan = line.startsWith('> ');
      isWorld = line.startsWith('world {');
    }
  }
  return found;
}
