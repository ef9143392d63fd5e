/** Memory of this process for transfers. */

/** Memory that a kernel can write to: page-aligned, and never moved or freed while the engine runs. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Its address in this process, for system calls; 0 where there are none. */
  readonly address: number;
}

/** Where blocks come from. */
export interface LocalMemory {
  /** @param bytes a multiple of 4096 */
  allocate(bytes: number): Block;
}
