/** What differs between the C daemons of Xen's releases. */

/** A release of Xen whose C daemon can be simulated: 4.17 is Debian 12's, 4.20 Debian 13's. */
export type XenstoreVersion = '4.17' | '4.20';

/** How a release behaves. */
export interface Traits {
  /** Whether paths of domain 0 may be as long as a message allows. */
  readonly longPathsOfDomain0: boolean;
  /**
   * Whether the special names are nodes without a value: their permissions can be read, are part of transactions, and
   * fire watches when they change. Otherwise they can only be set, at once and silently.
   */
  readonly specialNodes: boolean;
}

/** The behaviour of each release. */
export const TRAITS: Readonly<Record<XenstoreVersion, Traits>> = {
  '4.17': { longPathsOfDomain0: false, specialNodes: false },
  '4.20': { longPathsOfDomain0: true, specialNodes: true },
};
