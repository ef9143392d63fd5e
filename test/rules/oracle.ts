/** A second reading of docs/rules.md, written for plainness. */
import { type Rule, socketsOf } from '../../src/rules/index.js';
import type { UsbDevice } from '../../src/sysfs/index.js';

/** What a rule says, in the order in which it counts, to be compared as text. */
export function rankOf({ identity: { hash, serial, socket, ids, behind, interfaces } }: Rule): string {
  const model = ids !== undefined && !ids.includes('*');
  const shortest = Math.min(
    9,
    ...(interfaces ?? ['']).map((one) => one.split('/').filter((part) => part !== '*' && part !== '').length),
  );
  return [
    hash ? 1 : 0,
    serial ? 1 : 0,
    socket ? 1 : 0,
    model ? 1 : 0,
    behind ? behind.split('.').length : 0,
    ids ? 1 : 0,
    interfaces ? shortest : 0,
    serial === '' ? 1 : 0,
  ].join(' ');
}

function fits(rule: Rule, one: UsbDevice, socket: string): boolean {
  const { ids, serial, socket: wanted, behind, interfaces, hash } = rule.identity;
  const named = (classes: string): boolean =>
    interfaces!.some((pattern) =>
      pattern.split('/').every((part, i) => part === '*' || part === classes.split('/')[i]),
    );
  const all = one.interfaces.map(({ classes }) => classes);
  return [
    ids === undefined || ids === `${one.vendorId}:${one.productId}` || ids === `${one.vendorId}:*`,
    serial === undefined || serial === (one.serial ?? ''),
    wanted === undefined || wanted === socket,
    behind === undefined || socket.indexOf(`${behind}.`) === 0,
    hash === undefined || hash === one.hash,
    interfaces === undefined ||
      (rule.mode === 'deny'
        ? all.some(named)
        : all.length > 0 && all.filter((classes) => !named(classes)).length === 0),
  ].every(Boolean);
}

/** The verdict on each device: a guest, or why it is nobody's, in parentheses. */
export function oracle(rules: readonly Rule[], devices: readonly UsbDevice[]): Record<string, string> {
  const sockets = socketsOf(devices);
  const out: Record<string, string> = {};
  const winners = new Map<string, Rule>();
  for (const one of devices.filter(({ kind }) => kind === 'device')) {
    const about = rules.filter((rule) => fits(rule, one, sockets.get(one.busid)!));
    const left = about.filter(
      (rule) =>
        rule.mode !== 'deny' &&
        !about.some(
          (deny) =>
            deny.mode === 'deny' && [rule.guest, '*'].includes(deny.guest) && rankOf(deny) >= rankOf(rule),
        ),
    );
    const best = left.map(rankOf).sort().at(-1);
    const first = left.filter((rule) => rankOf(rule) === best);
    const wishes = new Set(first.map(({ mode, guest, devid, port }) => [mode, guest, devid, port].join()));
    out[one.busid] = wishes.size > 1 ? '(tied)' : about.length > 0 ? '(denied)' : '(none)';
    if (wishes.size !== 1) continue;
    out[one.busid] = first[0]!.guest;
    winners.set(one.busid, first[0]!);
  }
  for (const [busid, rule] of winners) {
    const { ids, serial, socket, hash } = rule.identity;
    const one = !rule.every && socket === undefined && Boolean(hash || serial || (ids && !ids.includes('*')));
    const alike = [...winners.values()].filter((other) => other === rule).length;
    if (one && alike > 1) out[busid] = '(ambiguous)';
  }
  return out;
}
