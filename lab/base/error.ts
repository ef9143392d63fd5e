/** What goes wrong in the lab itself, as opposed to in a command in it. */

/** A fault of the lab. Its message says what to do next. */
export class LabError extends Error {
  override readonly name = 'LabError';
}
