/** What every error of xlcfg has to be like. */
import assert from 'node:assert/strict';
import { XlCfgError, type XlCfgErrorCode } from '../../src/xlcfg/index.js';
import { controlCharacter } from '../fuzz/fuzz.js';

/** An error as a table has it. */
interface Refusal {
  readonly code: XlCfgErrorCode;
  readonly line: number;
  readonly column: number;
}

/** Whether an error is one of xlcfg's that can be shown: one sentence, printable, not endless, with a place. */
export function isShowable(error: unknown): error is XlCfgError {
  if (!(error instanceof XlCfgError)) return false;
  const { message, line, column } = error;
  assert.equal(controlCharacter(message), undefined);
  assert.ok(/^[^\n]{10,1200}[.]$/u.test(message), `not a sentence: ${message}`);
  assert.ok(
    Number.isInteger(line) && line > 0 && Number.isInteger(column) && column > 0,
    `${line}:${column}`,
  );
  return true;
}

/** Fails unless `act` throws exactly this. Returns the sentence. */
export function assertRefused(act: () => unknown, wanted: Refusal): string {
  try {
    act();
  } catch (error) {
    if (!isShowable(error)) throw error;
    const { code, line, column, message } = error;
    assert.deepEqual({ code, line, column }, { ...wanted }, message);
    return message;
  }
  return assert.fail('nothing was thrown');
}
