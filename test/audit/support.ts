/** Audits in folders of their own. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type AuditEntry,
  type AuditLog,
  type AuditOptions,
  openAudit,
  readAudit,
} from '../../src/audit/index.js';

/** A change, and one that failed. */
export const ENTRY: AuditEntry = {
  who: { name: 'root', via: 'unix', role: 'admin', uid: 0, gid: 0, pid: 42 },
  what: 'attach',
  request: { domain: 'u1', device: '4-1' },
  why: 'assignments.conf:3',
  guests: [{ domid: 3, name: 'u1', uuid: 'b1f1' }],
  devices: ['4-1'],
  steps: [{ why: 'create controller 0 of domain 3', outcome: 'done' }],
  result: { port: 1 },
};
export const FAILED: AuditEntry = {
  ...ENTRY,
  what: 'detach',
  guests: [{ domid: 4, name: 'u2' }],
  devices: ['1-1'],
  error: { code: 'port-empty', message: 'Nothing is attached.' },
};

/** A folder for an audit. */
export function folderOf(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'pvusb-audit-'));
  t.after(() => rmSync(path, { recursive: true }));
  return join(path, 'log');
}

/** Adds entries and closes. */
export async function write(
  folder: string,
  entries: readonly AuditEntry[],
  options: AuditOptions = {},
): Promise<void> {
  const log: AuditLog = await openAudit(folder, options);
  for (const entry of entries) await log.append(entry);
  await log.close();
}

/** The names of its files, oldest first. */
export const filesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();

/** Its changes: number and verb. */
export async function changes(folder: string, filter = {}): Promise<string[]> {
  const found = [];
  for await (const { what, seq } of readAudit(folder, filter)) found.push(`${seq} ${what}`);
  return found;
}
