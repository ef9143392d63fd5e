/** How a controller and its ports are called in everything that people read. Said once. */
import type { ControllerId } from './layout.js';

/** `controller 0 of domain 3`. */
export function nameController({ domid, devid }: ControllerId): string {
  return `controller ${devid} of domain ${domid}`;
}

/** `port 1 of controller 0 of domain 3`. */
export function namePort(at: ControllerId & { readonly port: number }): string {
  return `port ${at.port} of ${nameController(at)}`;
}

/** A sentence begins with a capital letter. */
export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
