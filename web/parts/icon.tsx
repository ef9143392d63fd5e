/** Icons of devices and of what is done, drawn in lines. */
import type { ComponentChildren } from 'preact';
import type { Kind } from '../model/format.js';

/** What there are icons of, besides kinds of devices. */
type Sign = Kind | 'guest' | 'unplugged' | 'done' | 'failed' | 'waiting' | 'undone' | 'search';

const DRAWN: Readonly<Record<Sign, ComponentChildren>> = {
  storage: <path d="M9 3h6v5H9zM7 8h10v11a2 2 0 0 1-2 2H9a2 2 0 0 1-2-2zM11 5.500h.01M13 5.500h.01" />,
  keyboard: <path d="M3 7h18v10H3zM6 10h.01M9 10h.01M12 10h.01M15 10h.01M18 10h.01M8 14h8" />,
  mouse: <path d="M12 3a5 5 0 0 1 5 5v8a5 5 0 0 1-10 0V8a5 5 0 0 1 5-5zM12 7v3" />,
  audio: <path d="M4 10v4h4l5 4V6l-5 4zM16 9a4 4 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11" />,
  network: <path d="M9 3h6v5H9zM3 16h6v5H3zM15 16h6v5h-6zM12 8v4M6 16v-4h12v4" />,
  wireless: <path d="M7 7l10 10-5 4V3l5 4L7 17" />,
  video: <path d="M3 7h12v10H3zM15 11l6-3v8l-6-3z" />,
  printer: <path d="M7 9V3h10v6M7 17H4V9h16v8h-3M7 14h10v7H7z" />,
  card: <path d="M3 6h18v12H3zM3 10h18M6 14.500h4" />,
  serial: <path d="M4 8h16l-2 8H6zM8 11h.01M12 11h.01M16 11h.01M10 13.500h.01M14 13.500h.01" />,
  hub: <path d="M4 9h16v6H4zM7 12h2M11 12h2M15 12h2M12 15v6M12 3v6" />,
  controller: <path d="M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4" />,
  usb: (
    <path d="M12 3v15M12 3l-2 3h4zM12 15l-5-3v-2M12 16.500l5-3v-3M12 18a1.500 1.500 0 1 0 .01 0M7 8.500h.01M16 8.500h2v2h-2z" />
  ),
  guest: <path d="M3 4h18v12H3zM9 20h6M12 16v4" />,
  unplugged: <path d="M9 4v4M15 4v4M6 8h12v3a6 6 0 0 1-9.500 4.900M12 17v4M4 4l16 16" />,
  done: <path d="M5 12.500l4.500 4.500L19 7.500" />,
  failed: <path d="M6 6l12 12M18 6L6 18" />,
  waiting: <path d="M12 12h.01" />,
  undone: <path d="M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6" />,
  search: <path d="M10.500 4a6.500 6.500 0 1 0 .01 0M15.500 15.500L20 20" />,
};

/** An icon; what it means stands beside it as a word. */
export function Icon({ of: sign }: { readonly of: Sign }) {
  return (
    <svg class={`icon icon-${sign}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {DRAWN[sign]}
    </svg>
  );
}
