/** The files of the web page, in memory; what a browser may do with them. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A file of the page. */
export interface PageFile {
  /** `text/html; charset=utf-8`. */
  readonly type: string;
  readonly body: Buffer;
}

/** The files by their paths: `/`, `/app.js`. Nothing else is served, so that no path leads out of them. */
export type Page = ReadonlyMap<string, PageFile>;

/** Nothing from elsewhere, nothing inline, no frame around it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The headers of every answer. */
export const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** Serves a file of the page if that was asked for; false if not. */
export function servePage(
  page: Page | undefined,
  path: string,
  { method }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const file = method === 'GET' ? page?.get(path) : undefined;
  if (!file) return false;
  response.writeHead(200, { 'Content-Type': file.type, 'Content-Length': file.body.length });
  response.end(file.body);
  return true;
}
