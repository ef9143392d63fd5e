/** Conditions of USBGuard's rules, which are checked when a file is read: what makes no sense there is refused here. */

/** A condition as USBGuard prints it, or what is wrong with it: the end of a sentence. */
type CheckedCondition = { readonly text: string } | { readonly fault: string };

/**
 * Checks a condition. Its parameter is the text between the parentheses, as it is in the file: nothing in it is
 * unescaped. `isMatch` says whether a text can follow `allow `.
 */
export function checkCondition(
  name: string,
  parameter: string | undefined,
  isNegated: boolean,
  isMatch: (spec: string) => boolean,
): CheckedCondition {
  const check = Object.hasOwn(CONDITIONS, name) ? CONDITIONS[name] : undefined;
  if (!check) return { fault: `has no condition ${JSON.stringify(name)}` };
  if (parameter === '') return { fault: 'accepts no empty parentheses' };
  const { printed = name, isValid } = check;
  if (!isValid(parameter ?? '', isMatch)) return { fault: `cannot use this parameter of ${name}` };
  const isFixed = name === 'true' || name === 'false';
  const after = parameter === undefined || isFixed ? '' : `(${parameter})`;
  return { text: `${isNegated ? '!' : ''}${printed}${after}` };
}

interface Check {
  /** How it is printed, where that is another name. */
  readonly printed?: string;
  /** The parameter is empty when there is none. */
  isValid(parameter: string, isMatch: (spec: string) => boolean): boolean;
}

const CONDITIONS: Readonly<Record<string, Check>> = {
  true: { isValid: () => true },
  false: { isValid: () => true },
  'allowed-matches': { isValid: (parameter, isMatch) => isMatch(parameter) },
  localtime: { isValid: isTimeRange },
  random: { isValid: (parameter) => parameter === '' || isNumber(parameter) },
  'rule-applied': { isValid: isElapsed },
  // A slip of USBGuard's, which then reads it as the other one.
  'rule-evaluated': { printed: 'rule-applied', isValid: isElapsed },
};

const DAY_S = 86_400n;

function isTimeRange(text: string): boolean {
  const [, begin, end] = /^([^-]*)-?(.*)$/s.exec(text)!;
  const from = daytimeOf(begin!);
  const to = end === '' ? from : daytimeOf(end!);
  return from !== undefined && to !== undefined && from <= to;
}

/**
 * A time of day in seconds, as strptime reads it with `%H:%M:%s` or else `%H:%M`: whatever follows is ignored, and a
 * digit that would make a number too large is already what follows. `%s` are seconds since 1970, which overwrite the rest.
 */
function daytimeOf(text: string): number | undefined {
  const clock = /^[\t-\r ]*([0-2]?\d):[\t-\r ]*([0-5]?\d)(?::(\d+))?/.exec(untilNul(text));
  if (!clock) return undefined;
  const [, hours, minutes, seconds] = clock;
  if (Number(hours) > 23) return undefined;
  const epoch = seconds === undefined ? undefined : secondsOf(seconds);
  return epoch ?? Number(hours) * 3600 + Number(minutes) * 60;
}

/** Time of day of a number of seconds since 1970, UTC; undefined when the year is too large for C. */
function secondsOf(digits: string): number | undefined {
  // C's number overflows; of a decimal number only the last 64 digits count modulo 2 to the 64.
  const seconds = BigInt.asIntN(64, BigInt(digits.slice(-64)));
  const isYear = seconds <= 67_768_036_191_676_799n && seconds >= -67_768_040_609_740_800n;
  return isYear ? Number(((seconds % DAY_S) + DAY_S) % DAY_S) : undefined;
}

function isElapsed(text: string): boolean {
  if (text === '' || daytimeOf(text) !== undefined) return true;
  const digits = /^\d+/.exec(untilNul(text))?.[0];
  return digits !== undefined && secondsOf(digits) !== undefined;
}

/** What strtod reads without ERANGE; whatever follows is ignored. */
function isNumber(text: string): boolean {
  const [, number] =
    /^[\t-\r ]*[+-]?(inf|nan|0x(?:[\da-f]+\.?[\da-f]*|\.[\da-f]+)(?:p[+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)/i.exec(
      untilNul(text),
    ) ?? [];
  if (number === undefined) return false;
  if (/^[in]/i.test(number)) return true;
  const value = /^0x/i.test(number) ? hexFloat(number) : Number(number);
  if (value < SMALLEST_NORMAL) return !/^(?:0x)?[.0]*[1-9a-f]/i.test(number) || /^[.0]*e/i.test(number);
  return Number.isFinite(value);
}

const SMALLEST_NORMAL = 2 ** -1022;

function hexFloat(text: string): number {
  const [, whole = '', part = '', exponent = '0'] = /^0x([\da-f]*)\.?([\da-f]*)(?:p(.*))?$/i.exec(text)!;
  const digits = BigInt(`0x${whole}${part}`);
  // A number that C refuses has an exponent far out of range: a little too much or too little does no harm.
  return Number(digits) * 2 ** (Number(exponent) - 4 * part.length);
}

function untilNul(text: string): string {
  return text.replace(/\0.*$/s, '');
}
