/** The API over HTTP. */
export type { AuditReader } from './ask.js';
export type { Door } from './doors.js';
export { listenAt } from './listen.js';
export type { Page, PageFile } from './page.js';
export { readPage } from './page-files.js';
export { type ApiLimits, type ApiOptions, type ApiServer, openApi } from './server.js';
export { addToken, openTokens, TOKENS_PATH } from './token-file.js';
export { ROLES } from './tokens.js';
