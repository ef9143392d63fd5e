/** What can go wrong with the files of quiesced guests. */

/** A file that cannot be read or written, or is not what was written. */
export class QuiescedFilesError extends Error {
  override readonly name = 'QuiescedFilesError';
}
