/** The recorded configurations, and what may be asked about any. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isLibxlError, type LibxlError, type LibxlErrorCode, SavedConfig } from '../../src/libxl/index.js';
import { projectRoot } from '../xenstored/fetch.js';

const FOLDER = join(projectRoot(), 'test/fixtures/libxl-json');

/** A recorded file. */
interface Captured {
  /** `30-pv/001-ctrl-attach-auto.before`. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** A file before and after one xl command. */
interface Step {
  readonly name: string;
  readonly before: Buffer;
  readonly after: Buffer;
}

/** All recorded files, in order of their names. */
export function capturedFiles(): Captured[] {
  return readdirSync(FOLDER, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.libxl-json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({
      name: relative(FOLDER, path).replace('.libxl-json', ''),
      bytes: readFileSync(path),
    }));
}

/** One recorded file, by name. */
export function captured(name: string): Buffer {
  return readFileSync(join(FOLDER, `${name}.libxl-json`));
}

/** The commands for which both files were recorded. */
export function capturedSteps(): Step[] {
  const files = new Map(capturedFiles().map(({ name, bytes }) => [name, bytes]));
  return [...files].flatMap(([name, before]) => {
    const step = name.replace(/\.before$/, '');
    const after = files.get(`${step}.after`);
    return step !== name && after ? [{ name: step, before, after }] : [];
  });
}

/** `text` as a configuration. */
export function config(text: string): SavedConfig {
  return SavedConfig.parse(Buffer.from(text));
}

/** A configuration's bytes as text, with the NUL made visible. */
export function textOf(saved: SavedConfig): string {
  return saved.toBytes().toString().replaceAll('\0', '<NUL>');
}

/** Asserts that `run` fails with a LibxlError with this code, and returns it. */
export async function failsWith(code: LibxlErrorCode, run: () => unknown): Promise<LibxlError> {
  try {
    await run();
  } catch (error) {
    if (!isLibxlError(error)) throw error;
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`no error, instead of ${code}`);
}
