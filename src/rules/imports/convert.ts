/**
 * Statements of which the first counts, as rules of which the most specific counts. What is given to a guest is never
 * more than what the statements allow; where it is less, or where something cannot be expressed, there is a report.
 */
import { isAboutOne, specificity } from '../match.js';
import { formatRule } from '../parse.js';
import { EVERY_GUEST, type Identity, type RuleProblem } from '../rule.js';
import { canMeet, covers, type Described, meetOf } from './identities.js';
import type { ForeignLine, Remark, Statement } from './statement.js';

/** Whom the devices are for that may be given away. */
export interface ImportOptions {
  /** Name or uuid; without a guest only denials become rules. */
  readonly guest?: string | undefined;
  /** `ask` unless given. */
  readonly mode?: 'auto' | 'ask' | undefined;
}

/** A remark about a line. What was not expressed is missing in the rules, or different there. */
interface ImportReport extends RuleProblem {
  readonly isExpressed: boolean;
}

/** A rule. */
interface ImportedRule {
  /** As in a file of rules. */
  readonly rule: string;
  /** It keeps the rules of this line from giving what that line denies first. */
  readonly forLine?: number;
}

/** A line, and the rules that it became. */
interface ImportedLine {
  readonly line: number;
  /** As it was; safe to print. */
  readonly text: string;
  readonly isComment: boolean;
  readonly rules: readonly ImportedRule[];
  /** Rules that are like it, and not the same. */
  readonly like: readonly string[];
}

/** What was made of a file. */
export interface Imported {
  readonly lines: readonly ImportedLine[];
  readonly reports: readonly ImportReport[];
}

/** A rule that was made, or a statement that could not be said: only what it is about. */
interface Piece extends Described {
  readonly line: number;
}

/** How the statements of a program are to be read. */
interface Reading {
  readonly path: string;
  /** Statements are about single interfaces, and the first about each of them counts. */
  readonly isPerInterface: boolean;
}

/** Makes rules of statements. */
export function convert(lines: readonly ForeignLine[], reading: Reading, options: ImportOptions): Imported {
  const converter = new Converter(reading, options);
  return { lines: lines.map((line) => converter.add(line)), reports: converter.reports };
}

/** More rules than this for one line are no longer readable. */
const RULES_MAX = 50;

class Converter {
  readonly reports: ImportReport[] = [];
  readonly #reading: Reading;
  readonly #options: ImportOptions;
  /** What the lines until now say, as far as it can be said, whether there is a guest or not. */
  readonly #allowed: Piece[] = [];
  readonly #denied: Piece[] = [];
  /** What lines until now may deny, and no rule does. */
  readonly #unsaid: Piece[] = [];
  /** The rules that give. */
  readonly #given: Piece[] = [];

  constructor(reading: Reading, options: ImportOptions) {
    this.#reading = reading;
    this.#options = options;
  }

  add({ line, text, statement }: ForeignLine): ImportedLine {
    if (!statement) return { line, text, isComment: true, rules: [], like: [] };
    const { notes, obstacles, exactly, isAllowed } = statement;
    for (const note of notes) this.#report(line, note, true);
    for (const obstacle of obstacles) this.#report(line, obstacle, false);
    const rules = exactly ? this.#rulesOf(line, statement, exactly) : [];
    if (!exactly && !isAllowed)
      this.#unsaid.push(...statement.within.map((identity) => ({ identity, isAny: true, line })));
    const like = exactly
      ? []
      : statement.like.filter(isNamed).map((identity) => this.#ruleOf(identity, isAllowed));
    return { line, text, isComment: false, rules, like: [...new Set(like)] };
  }

  #rulesOf(line: number, { isAllowed, column }: Statement, identities: readonly Identity[]): ImportedRule[] {
    const rules: ImportedRule[] = [];
    for (const identity of identities) {
      const piece = { identity, isAny: !isAllowed, line };
      const before = (isAllowed ? this.#denied : this.#allowed).find((one) =>
        covers(one, piece, this.#reading.isPerInterface),
      );
      if (before) {
        const message = `It never takes effect: line ${before.line} comes first and matches all of its devices.`;
        this.#report(line, { column, message }, true);
      } else rules.push(...(isAllowed ? this.#give(piece, column) : this.#deny(piece, column)));
    }
    return rules;
  }

  #deny(piece: Piece, column: number): ImportedRule[] {
    const { identity, line } = piece;
    this.#denied.push(piece);
    this.#reportDenied(piece, this.#allowed, { line, column });
    return [{ rule: this.#ruleOf(identity, false) }];
  }

  /** Reports what a rule denies, though lines before it allow it. */
  #reportDenied(piece: Piece, allowed: readonly Piece[], where: { line: number; column: number }): void {
    const rank = specificity(piece.identity);
    const lost = allowed.find(
      (one) => canMeet(one, piece) && (!this.#given.includes(one) || specificity(one.identity) <= rank),
    );
    if (!lost) return;
    const why = this.#given.includes(lost)
      ? 'here the rule that denies is as specific, and wins'
      : 'no rule gives them to anybody';
    const message = `Devices that line ${lost.line} allows first are denied by this: ${why}.`;
    this.#report(where.line, { column: where.column, message }, false);
  }

  #give(piece: Piece, column: number): ImportedRule[] {
    const { identity, line } = piece;
    this.#allowed.push(piece);
    const fail = (message: string): ImportedRule[] => {
      this.#report(line, { column, message }, false);
      return [];
    };
    if (this.#options.guest === undefined)
      return fail('It allows devices but names no guest: name one, and they can be for that guest.');
    if (!isNamed(identity))
      return fail('It allows every device: a rule that gives devices has to name them.');
    const unsaid = this.#unsaid.find((one) => canMeet(one, piece));
    if (unsaid) return fail(`Line ${unsaid.line} may deny some of these devices first, and is not a rule.`);
    const rank = specificity(identity);
    const stronger = this.#denied.filter((one) => canMeet(one, piece) && specificity(one.identity) < rank);
    const extras = stronger.map(
      (one): Piece => ({
        identity: meetOf(one.identity, identity),
        isAny: true,
        line: one.line,
      }),
    );
    if (extras.length > RULES_MAX || extras.some((extra) => specificity(extra.identity) < rank))
      return fail('Lines before it deny some of these devices in too many ways to express in rules.');
    for (const extra of extras) {
      const before = this.#given.filter((one) => one.line < extra.line);
      this.#reportDenied(extra, before, { line, column });
    }
    this.#given.push(piece);
    const exceptions = extras.map((extra) => ({
      rule: this.#ruleOf(extra.identity, false),
      forLine: extra.line,
    }));
    return [...exceptions, { rule: this.#ruleOf(identity, true) }];
  }

  #ruleOf(identity: Identity, isAllowed: boolean): string {
    const { guest = 'GUEST', mode = 'ask' } = this.#options;
    const place = { file: this.#reading.path, line: 1, column: 1 };
    if (!isAllowed) return formatRule({ mode: 'deny', guest: EVERY_GUEST, identity, every: false });
    // The other program gives away whatever is alike.
    const every = isAboutOne({ mode, guest, identity, every: false, place });
    return formatRule({ mode, guest, identity, every });
  }

  #report(line: number, { column, message }: Remark, isExpressed: boolean): void {
    this.reports.push({ file: this.#reading.path, line, column, message, isExpressed });
  }
}

function isNamed(identity: Identity): boolean {
  return Object.keys(identity).length > 0;
}
