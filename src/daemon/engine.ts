/** The JavaScript engine of a process that mostly waits. */
import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 keep its heap small, and leave a process alone that does nothing. The first look at a host with 1,000 guests
 * leaves 30 MB of garbage behind: V8 would enlarge its room for what is new for that, once and for ever. And after each
 * great collection it would look every 8 seconds whether another is worth while: it waits for a rate of allocation that
 * is low, and takes none at all for unknown (`heap.cc: HasLowYoungGenerationAllocationRate`). Where it saves memory it
 * does not ask, collects, and stops.
 */
export function keepSmall(): void {
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--semi-space-growth-factor=1');
}
