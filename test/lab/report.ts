/** The results of the suites: the matrix, the cases that no other suite has, and the time of each part. */
import { SETUPS } from './matrix/setup.js';

/** A case that was run. */
export interface PlayedCase {
  readonly sentence: string;
  readonly ms: number;
  readonly hasFailed: boolean;
}

/** A part of a run: a suite with its cases, or what comes before them. */
export interface Part {
  readonly what: string;
  readonly ms: number;
  readonly cases: readonly PlayedCase[];
}

const COLUMN = 7;
const WIDTH = 80;

/** The tables of a run that took this long. */
export function formatReport(parts: readonly Part[], totalMs: number): string {
  const isColumn = ({ what }: Part) => what in SETUPS;
  const rows = parts.filter(isColumn);
  const others = parts.filter((part) => !isColumn(part) && part.cases.length > 0);
  return [
    '',
    ...(rows.length > 0 ? matrix(rows) : []),
    ...others.flatMap(list),
    ...times(parts, totalMs),
    '',
  ].join('\n');
}

/** One line per case, one column per setup: its seconds. */
function matrix(suites: readonly Part[]): string[] {
  const sentences = [...new Set(suites.flatMap(({ cases }) => cases.map(({ sentence }) => sentence)))];
  const legend = suites.map(({ what }, at) => `${at + 1} ${what}`).join(', ');
  const heads = suites.map((_, at) => `${at + 1}`.padStart(COLUMN)).join('');
  return [
    `Seconds of each case: ${legend}`,
    heads,
    ...sentences.flatMap((sentence) => line(suites.map((suite) => cell(suite, sentence)).join(''), sentence)),
    '',
  ];
}

function cell({ cases }: Part, sentence: string): string {
  const found = cases.find((one) => one.sentence === sentence);
  return (found ? outcome(found) : '-').padStart(COLUMN);
}

function outcome({ ms, hasFailed }: PlayedCase): string {
  return hasFailed ? 'FAILED' : seconds(ms);
}

function list({ what, cases }: Part): string[] {
  return [what, ...cases.flatMap((one) => line(outcome(one).padStart(COLUMN), one.sentence)), ''];
}

function times(parts: readonly Part[], totalMs: number): string[] {
  const rows = parts.map(({ what, ms, cases }) => {
    const failed = cases.filter(({ hasFailed }) => hasFailed).length;
    const said = cases.length === 0 ? '' : `: ${cases.length} cases, ${failed} failed`;
    return `${seconds(ms).padStart(COLUMN)}  ${what}${said}`;
  });
  return [
    'Seconds of each part, suites side by side',
    ...rows,
    `${seconds(totalMs).padStart(COLUMN)}  in all`,
  ];
}

/** Figures, and a sentence next to them that is wrapped if the line would be too long. */
function line(figures: string, sentence: string): string[] {
  const pieces = sentence.match(new RegExp(`.{1,${WIDTH - 2 - figures.length}}(?: |$)|\\S+`, 'g')) ?? [''];
  return pieces.map((piece, at) => `${at === 0 ? figures : ' '.repeat(figures.length)}  ${piece.trimEnd()}`);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0);
}
