/** What the files of rules are called. */

/** The file that `pvusb assign` and `unassign` change. */
export const MAIN = 'assignments.conf';

/** The folder of files that are read after it, by name. */
export const DROP_IN = 'assignments.d';

/** How the names of those files end. */
export const ENDING = '.conf';
