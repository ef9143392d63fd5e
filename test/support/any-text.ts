/** Any text, for properties. */
import fc from 'fast-check';

const [HALVES_FROM, HALVES] = [0xd800, 0x800];

/** All characters, as `unit: 'binary'` has them; but that makes a table of them first, which takes seconds. */
const character = fc.integer({ min: 0, max: 0x10ffff - HALVES }).map(
  (place) => String.fromCodePoint(place < HALVES_FROM ? place : place + HALVES),
  (text) => {
    const code = (text as string).codePointAt(0)!;
    return code < HALVES_FROM ? code : code - HALVES;
  },
);

/** Texts of any characters. */
export function anyText(limits: Pick<fc.StringConstraints, 'minLength' | 'maxLength'> = {}) {
  return fc.string({ ...limits, unit: character });
}
