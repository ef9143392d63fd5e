/** How USBGuard decides about devices (1.1.2), written down apart from the importer. The first rule counts. */
import type { AttributeName, Operator, UsbGuardRule } from '../../src/rules/imports/usbguard/rule.js';

/** A device as USBGuard sees it: the values of its attributes. */
export type DeviceSeen = Readonly<Partial<Record<AttributeName, readonly string[]>>>;

/** What the rules do with a device; undefined when none is about it. Only conditions that never change. */
export function firstTarget(rules: readonly UsbGuardRule[], device: DeviceSeen): string | undefined {
  return rules.find((rule) => isAbout(rule, device) && isMet(rule))?.target;
}

/** Whether a rule is about a device, its conditions aside. */
export function isAbout({ attributes }: UsbGuardRule, device: DeviceSeen): boolean {
  return [...attributes].every(([name, { operator, values }]) => {
    if (name === 'if' || name === 'label') return true;
    return SOLVE[operator](values, device[name] ?? [], name);
  });
}

type Solve = (ours: readonly string[], theirs: readonly string[], name: AttributeName) => boolean;

const all: Solve = (ours, theirs, name) =>
  ours.every((our) => theirs.some((their) => fits(our, their, name)));
const one: Solve = (ours, theirs, name) => ours.some((our) => theirs.some((their) => fits(our, their, name)));

const SOLVE: Readonly<Record<Operator, Solve>> = {
  'all-of': all,
  'one-of': one,
  'none-of': (ours, theirs, name) => !one(ours, theirs, name),
  equals: (ours, theirs, name) => ours.length === theirs.length && all(ours, theirs, name),
  'equals-ordered': (ours, theirs, name) =>
    ours.length === theirs.length && ours.every((our, at) => fits(our, theirs[at]!, name)),
  'match-all': (ours, theirs, name) => {
    if (name === 'with-interface') return theirs.every((their) => ours.some((our) => fits(our, their, name)));
    return name !== 'id' || theirs.every((their) => ours.includes(their));
  },
};

function fits(our: string, their: string, name: AttributeName): boolean {
  if (name !== 'id' && name !== 'with-interface') return our === their;
  const parts = their.split(':');
  return our.split(':').every((part, at) => part === '*' || part === parts[at]);
}

function isMet({ attributes }: UsbGuardRule): boolean {
  const { operator, values } = attributes.get('if') ?? { operator: 'equals', values: [] };
  const results = values.map((value) => value === 'true' || value === '!false');
  if (values.length === 0) return true;
  if (operator === 'one-of') return results.includes(true);
  return operator === 'none-of' ? !results.includes(true) : !results.includes(false);
}
