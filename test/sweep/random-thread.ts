/** The thread for the random hosts: runs a seed, and returns the number of the product's operations. */
import { answerTasks } from '../support/thread.js';
import { Turmoil } from './random-host.js';

answerTasks((seed: number) => new Turmoil(seed).run());
