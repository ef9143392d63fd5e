/** The API over HTTP. */
export type { ApiParts, AuditReader } from './ask.js';
export type { Door, DoorGroup, Listen, TcpDoor, UnixDoor } from './doors.js';
export { listenAt } from './listen.js';
export type { Page, PageFile } from './page.js';
export { readPage } from './page-files.js';
export { type ApiLimits, type ApiOptions, type ApiServer, openApi } from './server.js';
export { addToken, openTokens, TOKENS_PATH, type Tokens } from './token-file.js';
export { ROLES, type TokenFor } from './tokens.js';
