/** How the architecture tests report what breaks a rule. */
import assert from 'node:assert/strict';

/** Fails with a list of what breaks a rule. */
export function none(broken: readonly string[], rule: string): void {
  assert.equal(broken.length, 0, `${rule}:\n  ${broken.join('\n  ')}`);
}
