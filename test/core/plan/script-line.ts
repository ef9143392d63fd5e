/** The words of one line of a plan script, taken one by one; words that are left over are an error. */
export class ScriptLine {
  #rest: string[];

  constructor(text: string) {
    this.#rest = text.split(' ').filter((word) => word !== '');
  }

  /** The next word that is not `key=value`. Throws when there is none. */
  word(what: string): string {
    const at = this.#rest.findIndex((word) => !/^[a-z-]+=/.test(word));
    if (at < 0) throw new Error(`${what} is missing`);
    return this.#rest.splice(at, 1)[0]!;
  }

  /** The same, a number. */
  number(what: string): number {
    return numberOf(this.word(what), what);
  }

  /** Whether a word occurs. */
  flag(name: string): boolean {
    const at = this.#rest.indexOf(name);
    if (at >= 0) this.#rest.splice(at, 1);
    return at >= 0;
  }

  /** The values of every `key=value`. */
  all(key: string): string[] {
    const isIt = (word: string): boolean => word.startsWith(`${key}=`);
    const found = this.#rest.filter(isIt);
    this.#rest = this.#rest.filter((word) => !isIt(word));
    return found.map((word) => word.slice(key.length + 1));
  }

  /** The value of a `key=value`, if there is one. */
  option(key: string): string | undefined {
    const [value, ...more] = this.all(key);
    if (more.length > 0) throw new Error(`${key} occurs twice`);
    return value;
  }

  /** The same, a number. */
  numeric(key: string): number | undefined {
    const value = this.option(key);
    return value === undefined ? undefined : numberOf(value, key);
  }

  /** Everything that is left. */
  rest(): string {
    return this.#rest.splice(0).join(' ');
  }

  /** Throws when something is left. */
  end(): void {
    if (this.#rest.length > 0) throw new Error(`"${this.#rest.join(' ')}" means nothing here`);
  }
}

function numberOf(text: string, what: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${what} is not a number: ${text}`);
  return Number(text);
}
