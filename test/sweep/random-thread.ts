/** The thread of the random hosts: plays a seed, and gives the number of the product's operations. */
import { answerTasks } from '../support/thread.js';
import { Turmoil } from './random-host.js';

answerTasks((seed: number) => new Turmoil(seed).run());
