/**
 * Work in a thread of its own. node:test hooks every promise of the thread that its tests run in, which takes a third
 * of the time of those that make millions of them.
 */
import { once } from 'node:events';
import { parentPort, Worker } from 'node:worker_threads';

type Reply<A> = { readonly done: A } | { readonly failed: string };

/** A thread that runs a module which calls {@link answerTasks}. */
export class Thread<T, A> implements AsyncDisposable {
  readonly #worker: Worker;

  constructor(module: URL) {
    this.#worker = new Worker(module);
  }

  /** Has the thread do a task; one at a time. Rejects with what the task failed with, as text. */
  async perform(task: T): Promise<A> {
    this.#worker.postMessage(task);
    const [reply] = (await once(this.#worker, 'message')) as [Reply<A>];
    if ('failed' in reply) throw new Error(reply.failed);
    return reply.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** In the module of a {@link Thread}: what it does with each task. */
export function answerTasks<T, A>(perform: (task: T) => Promise<A>): void {
  parentPort?.on('message', async (task: T) => {
    let reply: Reply<A>;
    try {
      reply = { done: await perform(task) };
    } catch (error) {
      reply = { failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    parentPort?.postMessage(reply);
  });
}
