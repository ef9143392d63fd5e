/** The page: signed in, or not yet. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Assignments } from './assignments/assignments.js';
import { PlanDialog } from './dialog/plan-dialog.js';
import { Findings } from './findings/findings.js';
import { Guests } from './guests/guests.js';
import { Journal } from './journal/journal.js';
import { type App, AppContext } from './parts/app.js';
import { Foot, Head } from './parts/bar.js';
import { SignIn } from './parts/sign-in.js';
import { Requests } from './requests/requests.js';
import { apiBy } from './state/api.js';
import { createOperations } from './state/operation.js';
import { createStore } from './state/store.js';
import type { Transport } from './state/transport.js';
import { DeviceTree } from './tree/device-tree.js';

/** Where the token is kept. */
export interface TokenKeeper {
  read(): string | undefined;
  /** Undefined: forget it. */
  write(token: string | undefined): void;
}

/** Everything. A page that has this one inside gives its own transport. */
export function Page({ transport, keeper }: { readonly transport: Transport; readonly keeper: TokenKeeper }) {
  const session = useSignal(0);
  const signIn = (token: string | undefined): void => {
    keeper.write(token);
    session.value += 1;
  };
  return <Session key={session.value} transport={transport} keeper={keeper} onToken={signIn} />;
}

interface SessionProps {
  readonly transport: Transport;
  readonly keeper: TokenKeeper;
  readonly onToken: (token: string | undefined) => void;
}

function Session({ transport, keeper, onToken }: SessionProps) {
  const app = useSignal<App | undefined>(undefined);
  useEffect(() => {
    const api = apiBy(transport);
    const store = createStore(api);
    const ended = new AbortController();
    app.value = { store, operations: createOperations(api, store), signOut: () => onToken(undefined) };
    void store.follow(ended.signal);
    return () => ended.abort();
  }, []);
  const made = app.value;
  if (!made) return null;
  const connection = made.store.connection.value;
  if (connection.is === 'refused')
    return <SignIn why={keeper.read() === undefined ? undefined : connection.why} onToken={onToken} />;
  // Until the daemon knows who is here, there is nothing to show.
  if (!made.store.self.value)
    return <Waiting why={connection.is === 'lost' ? connection.why.message : undefined} />;
  return (
    <AppContext.Provider value={made}>
      <a class="skip" href="#devices">
        Skip to the devices
      </a>
      <a class="skip" href="#guests">
        Skip to the guests
      </a>
      <Head />
      <main>
        <Requests />
        <div class="columns">
          <DeviceTree />
          <Guests />
        </div>
        <div class="columns thirds">
          <Assignments />
          <Findings />
          <Journal />
        </div>
      </main>
      <Foot />
      <PlanDialog />
    </AppContext.Provider>
  );
}

function Waiting({ why }: { readonly why: string | undefined }) {
  return (
    <main class="sign-in">
      <h1>pvusb</h1>
      <p role="status">{why === undefined ? 'Connecting…' : `${why} Trying again…`}</p>
    </main>
  );
}
