/** Lines that tell a person what is taking so long. */

const beganMs = performance.now();

/** Prints what starts now, and how long this process has been running. */
export function progress(text: string): void {
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  process.stderr.write(`lab ${seconds.padStart(6)} s  ${text}\n`);
}
