/** What a controller and its ports are called in everything that people read, in one place. */
import type { ControllerId } from './layout.js';

/** `controller 0 of domain 3`. */
export function nameController({ domid, devid }: ControllerId): string {
  return `controller ${devid} of domain ${domid}`;
}

/** `port 1 of controller 0 of domain 3`. */
export function namePort(at: ControllerId & { readonly port: number }): string {
  return `port ${at.port} of ${nameController(at)}`;
}

/** Capitalises the first letter, as in a sentence. */
export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
