/** What every part of the page works with. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Role } from '../model/view.js';
import type { Operations } from '../state/operation.js';
import type { Store } from '../state/store.js';

/** The page, signed in. */
export interface App {
  readonly store: Store;
  readonly operations: Operations;
  readonly signOut: () => void;
}

/** It. */
export const AppContext = createContext<App | undefined>(undefined);

/** The page that a part is in. */
export function useApp(): App {
  return useContext(AppContext)!;
}

/** Whether whoever uses the page has a role, or more. */
export function useRole(needed: Exclude<Role, 'viewer'>): boolean {
  const role = useApp().store.self.value?.role;
  return role === 'admin' || role === needed;
}
