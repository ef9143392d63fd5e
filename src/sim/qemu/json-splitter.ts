/** Cuts a stream into JSON values as QEMU's parser does: by brackets, so that newlines are not needed. */

/** Longest value accepted; QEMU's own limit is 64 MiB. */
const VALUE_MAX = 1024 * 1024;

/** Collects text until a value is complete. */
export class JsonSplitter {
  #rest = '';
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** The values that are now complete, as text. What is not JSON comes out as it is, up to its newline. */
  push(text: string): string[] {
    const values: string[] = [];
    for (const char of text) {
      if (this.#rest === '' && /\s/.test(char)) continue;
      this.#rest += char;
      this.#step(char);
      const whole = this.#depth <= 0 && !this.#inString && (char === '}' || char === ']' || char === '\n');
      if (whole || this.#rest.length > VALUE_MAX) values.push(this.#take());
    }
    return values;
  }

  #step(char: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (this.#inString && char === '\\') this.#escaped = true;
    else if (char === '"') this.#inString = !this.#inString;
    else if (this.#inString) return;
    else if (char === '{' || char === '[') this.#depth++;
    else if (char === '}' || char === ']') this.#depth--;
  }

  #take(): string {
    const value = this.#rest.trim();
    this.#rest = '';
    this.#depth = 0;
    this.#inString = false;
    return value;
  }
}
