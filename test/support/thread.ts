/**
 * Work in a thread of its own. node:test hooks every promise of the thread that its tests run in, which costs those
 * that make millions of them a third of their time.
 */
import { once } from 'node:events';
import { parentPort, Worker } from 'node:worker_threads';

interface Order<T> {
  readonly number: number;
  readonly task: T;
}

interface Waiter<A> {
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

type Reply<A> = { readonly number: number } & ({ readonly done: A } | { readonly failed: string });

/** A thread that runs a module which calls {@link answerTasks}. */
export class Thread<T, A> implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiter<A>>();
  #number = 0;

  constructor(module: URL) {
    // With the usual 16 MB the garbage collector takes a fifth of the time.
    this.#worker = new Worker(module, { resourceLimits: { maxYoungGenerationSizeMb: 64 } });
    this.#worker.on('message', (reply: Reply<A>) => {
      const waiter = this.#waiting.get(reply.number)!;
      this.#waiting.delete(reply.number);
      if ('done' in reply) waiter.resolve(reply.done);
      else waiter.reject(new Error(reply.failed));
    });
    this.#worker.on('error', (error) => {
      for (const waiter of this.#waiting.values()) waiter.reject(error);
    });
  }

  /** Has the thread do a task. Rejects with what the task failed with, as text. */
  perform(task: T): Promise<A> {
    const number = ++this.#number;
    this.#worker.postMessage({ number, task } satisfies Order<T>);
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
  }

  /** The thread ends as a process does, so that what is to be cleaned up at the end is. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage('end');
    await ended;
  }
}

/** In the module of a {@link Thread}: what it does with each task. */
export function answerTasks<T, A>(perform: (task: T) => Promise<A>): void {
  parentPort?.on('message', async (order: Order<T> | 'end') => {
    if (order === 'end') process.exit();
    const { number, task } = order;
    let reply: Reply<A>;
    try {
      reply = { number, done: await perform(task) };
    } catch (error) {
      const failed = error instanceof Error ? (error.stack ?? error.message) : String(error);
      reply = { number, failed };
    }
    parentPort?.postMessage(reply);
  });
}
