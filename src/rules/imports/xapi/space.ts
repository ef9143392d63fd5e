/** White space as Python sees it. */

/** One character of it. */
export const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** As much of it as there is, in a pattern. */
export const SPACES = `${SPACE.source}*`;
