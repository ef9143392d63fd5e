/** The page as the daemon serves it: signed in by a token, which an address may bring after its `#`. */
import { render } from 'preact';
import { Page, type TokenKeeper } from './page.js';
import { fetchTransport } from './state/transport.js';

const KEY = 'pvusb-token';

const keeper: TokenKeeper = {
  read: () => sessionStorage.getItem(KEY) ?? undefined,
  write(token) {
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  },
};

// A fragment is never sent; it is taken out of the address, and so out of the history, at once.
const brought = /^#token=([\w.~+/-]{1,512}=*)$/.exec(location.hash)?.[1];
if (brought !== undefined) {
  history.replaceState(null, '', location.pathname);
  keeper.write(brought);
}

render(<Page transport={fetchTransport(keeper.read)} keeper={keeper} />, document.getElementById('app')!);
