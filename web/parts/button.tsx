/** Buttons, and what is shown in few words. */
import type { ComponentChildren } from 'preact';
import { shown } from '../model/format.js';

/** A button; `about` is read out after what it says: which device, which guest. */
export function Button({
  about,
  look = 'plain',
  onPress,
  children,
}: {
  readonly about?: string | undefined;
  readonly look?: 'plain' | 'main' | 'quiet';
  readonly onPress: () => void;
  readonly children: ComponentChildren;
}) {
  return (
    <button type="button" class={`button ${look}`} onClick={onPress}>
      {children}
      {about !== undefined && <span class="unseen"> {shown(about)}</span>}
    </button>
  );
}

/** A word about a state. */
export function Chip({
  tone,
  children,
}: {
  readonly tone: 'good' | 'wait' | 'bad' | 'still';
  readonly children: ComponentChildren;
}) {
  return <span class={`chip ${tone}`}>{children}</span>;
}

/** What is shown where there is nothing yet: what it is for, and how it comes to be. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** A field to look for something. */
export function Search({
  label,
  value,
  onInput,
}: {
  readonly label: string;
  readonly value: string;
  readonly onInput: (words: string) => void;
}) {
  return (
    <input
      type="search"
      class="search"
      aria-label={label}
      placeholder={label}
      value={value}
      onInput={({ currentTarget }) => onInput(currentTarget.value)}
    />
  );
}
