/** What the page shows, kept up to date: whole at the beginning, then by events. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { StreamEvent } from '../../src/api/index.js';
import { applyChange, withAnswers } from '../model/apply.js';
import { type Entry, entryOf, entryOfAudit } from '../model/journal.js';
import { type Bus, buildTree } from '../model/tree.js';
import {
  type AskRequest,
  type Finding,
  NO_VIEW,
  placesOf,
  type Self,
  type ServiceState,
  share,
  type View,
} from '../model/view.js';
import { type Api, type ApiError, apiError } from './api.js';
import { soon } from './soon.js';

/** How the page is connected. */
type Connection =
  | { readonly is: 'connecting' }
  | { readonly is: 'live' }
  /** Tried again by itself. */
  | { readonly is: 'lost'; readonly why: ApiError }
  /** The token is not, or no longer, anybody's. */
  | { readonly is: 'refused'; readonly why: ApiError };

/** A line of the journal, and when. */
interface Line extends Entry {
  readonly key: number;
  readonly time: Date;
}

/** What is shown. */
export interface Store {
  readonly view: ReadonlySignal<View>;
  /** The host's tree; what has not changed stays the same object. */
  readonly tree: ReadonlySignal<readonly Bus[]>;
  readonly self: ReadonlySignal<Self | undefined>;
  readonly requests: ReadonlySignal<readonly AskRequest[]>;
  /** Undefined until the doctor has looked. */
  readonly findings: ReadonlySignal<readonly Finding[] | undefined>;
  readonly connection: ReadonlySignal<Connection>;
  readonly service: ReadonlySignal<ServiceState>;
  /** The host has been looked at. */
  readonly isLoaded: ReadonlySignal<boolean>;
  /** The latest first. */
  readonly journal: ReadonlySignal<readonly Line[]>;
  /** Each event, after what is shown has followed it. */
  listen(hear: (event: StreamEvent) => void): () => void;
  /** Follows the daemon until the signal aborts. */
  follow(signal: AbortSignal): Promise<void>;
}

const JOURNAL_MAX = 200;

/** After a change the daemon is asked for the rest: what is shown at once is in the event. */
const REFRESH_MS = 120;
/** What takes long to answer for a large host: what the host does with its devices, and what the rules say. */
const DETAILS_MS = 400;
/** The doctor looks twice, two seconds apart: later, and more rarely. */
const DIAGNOSE_MS = 1_000;

/** The pauses before a lost connection is tried again. */
const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 5_000;

/** A stream that is silent for so long is dead: the daemon gives a sign of life every 15 seconds. */
const SILENT_MS = 45_000;

/** Makes a store. */
export function createStore(api: Api): Store {
  const view = signal<View>(NO_VIEW);
  let lastTree: readonly Bus[] = [];
  const tree = computed(() => {
    const { devices, gone, guests } = view.value;
    lastTree = share(lastTree, buildTree(devices, gone, placesOf(guests)));
    return lastTree;
  });
  const self = signal<Self | undefined>(undefined);
  const requests = signal<readonly AskRequest[]>([]);
  const findings = signal<readonly Finding[] | undefined>(undefined);
  const connection = signal<Connection>({ is: 'connecting' });
  const service = signal<ServiceState>('ready');
  const isLoaded = signal(false);
  const journal = signal<readonly Line[]>([]);
  const listeners = new Set<(event: StreamEvent) => void>();
  let lines = 0;

  const write = (...entries: readonly (Entry & { readonly time?: Date })[]): void => {
    const added = entries.map((entry) => ({ ...entry, time: entry.time ?? new Date(), key: lines++ }));
    journal.value = [...added.reverse(), ...journal.value].slice(0, JOURNAL_MAX);
  };

  const show = (answers: Partial<View>): void => {
    view.value = share(view.value, withAnswers(view.value, answers));
  };
  const refresh = soon(REFRESH_MS, async (ended) => {
    const [quick, guests, waiting] = await Promise.all([
      // What takes long comes after the first picture.
      isLoaded.value ? undefined : api.call('devices', { all: true, quick: true }, ended),
      api.call('list', isLoaded.value ? {} : { quick: true }, ended),
      api.call('requests', {}, ended),
    ]);
    // What happened meanwhile is looked at again; but something is shown in any case.
    if (refresh.isDue() && isLoaded.value) return;
    batch(() => {
      show(quick ? { devices: quick, guests } : { guests });
      setShared(requests, waiting);
      isLoaded.value = true;
      service.value = 'ready';
    });
  });
  const refreshDetails = soon(DETAILS_MS, async (ended) => {
    const [devices, assignments] = await Promise.all([
      api.call('devices', { all: true }, ended),
      api.call('assignments', {}, ended),
    ]);
    if (!refreshDetails.isDue()) show({ devices, assignments });
  });
  const diagnose = soon(DIAGNOSE_MS, async (ended) => {
    const { findings: found } = await api.call('doctor', {}, ended);
    findings.value = share(findings.value, found);
  });
  const parts = [refresh, refreshDetails, diagnose];
  const lookAgain = (): void => {
    refresh.now();
    refreshDetails.later();
    diagnose.later();
  };
  const lookSoon = (): void => {
    for (const part of parts) part.later();
  };

  const hear = (event: StreamEvent): void => {
    const entry = entryOf(event, view.value);
    if (entry) write(entry);
    if (event.event === 'change') {
      view.value = applyChange(view.value, event.change);
      lookSoon();
    } else if (event.event === 'requests') setShared(requests, event.requests);
    else if (event.event === 'assignments') refreshDetails.later();
    else if (event.event === 'state') service.value = event.state;
    else if (event.event === 'start' || event.event === 'reset' || event.event === 'renewed') lookAgain();
    else if (event.event === 'operation' && event.phase !== 'begin') lookSoon();
    for (const listener of listeners) listener(event);
  };

  const readHistory = async (ended: AbortSignal): Promise<void> => {
    const { entries } = await api.call('audit', { limit: 50 }, ended);
    const known = entries.flatMap((untrusted) => entryOfAudit(untrusted) ?? []);
    journal.value = [
      ...journal.value,
      ...known.reverse().map(({ time, ...entry }) => ({ ...entry, time: new Date(time), key: lines++ })),
    ];
  };

  const introduce = async (ended: AbortSignal): Promise<void> => {
    self.value = await api.call('whoami', {}, ended);
    if (self.value.role === 'admin') readHistory(ended).catch(() => undefined);
  };

  /** One connection; gives the id of the last event. */
  const connected = async (last: string | undefined, ended: AbortSignal): Promise<string | undefined> => {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENT_MS);
    let seen = last;
    try {
      for await (const events of api.events(last, AbortSignal.any([ended, silence.signal]))) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENT_MS);
        batch(() => {
          connection.value = { is: 'live' };
          for (const { event } of events) hear(event);
        });
        seen = events.at(-1)?.id ?? seen;
      }
    } catch (error) {
      if (!ended.aborted) connection.value = lostBy(apiError(error));
    } finally {
      clearTimeout(timer);
    }
    return seen;
  };

  const follow = async (ended: AbortSignal): Promise<void> => {
    let last: string | undefined;
    let pauseMs = PAUSE_MIN_MS;
    const troubled = (error: unknown): void => {
      const why = apiError(error);
      if (why.code === 'xenstore-unreachable') service.value = 'unreachable';
    };
    for (const part of parts) {
      part.until(ended);
      part.onTrouble(troubled);
    }
    while (!ended.aborted && connection.value.is !== 'refused') {
      const before = last;
      try {
        // Both at once: the first picture does not wait for one after the other.
        const both = new AbortController();
        const introduced = self.value ? undefined : introduce(ended);
        introduced?.catch(() => both.abort());
        last = await connected(last, AbortSignal.any([ended, both.signal]));
        if (both.signal.aborted) await introduced;
      } catch (error) {
        if (!ended.aborted) connection.value = lostBy(apiError(error));
      }
      if (ended.aborted || connection.value.is === 'refused') return;
      if (connection.value.is === 'live')
        connection.value = lostBy(apiError(new Error('The stream has ended.')));
      pauseMs = last === before ? Math.min(2 * pauseMs, PAUSE_MAX_MS) : PAUSE_MIN_MS;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };

  return {
    ...{ view, tree, self, requests, findings, connection, service, isLoaded, journal, follow },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function setShared<T>(target: Signal<T>, now: T): void {
  target.value = share(target.value, now);
}

function lostBy(why: ApiError): Connection {
  const isRefused = why.code === 'not-authenticated' || why.code === 'not-permitted';
  return { is: isRefused ? 'refused' : 'lost', why };
}
