/** Who is not known yet says who they are, with a token. */
import { useSignal } from '@preact/signals';
import { shown } from '../model/format.js';
import type { ApiError } from '../state/api.js';
import { Icon } from './icon.js';

/** The form. `why`: the token that was given is nobody's. */
export function SignIn({
  why,
  onToken,
}: {
  readonly why: ApiError | undefined;
  readonly onToken: (token: string) => void;
}) {
  const token = useSignal('');
  return (
    <main class="sign-in">
      <h1>
        <Icon of="usb" /> pvusb
      </h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.value.trim() !== '') onToken(token.value.trim());
        }}
      >
        <label>
          Token
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            autofocus
            value={token.value}
            aria-describedby="token-help"
            onInput={({ currentTarget }) => (token.value = currentTarget.value)}
          />
        </label>
        <button type="submit" class="button main">
          Sign in
        </button>
        {why && (
          <p class="problem" role="alert">
            {shown(why.message)} {shown(why.remedy)}
          </p>
        )}
        <p id="token-help" class="meta">
          On the host, <code>pvusb token NAME --role operator</code> prints one, only once. It is kept until
          this tab is closed.
        </p>
      </form>
    </main>
  );
}
