/** The API of the daemon: its routes, what is asked and answered, and the document about them. */
export type * from './answers.js';
export { type Changed, errorAnswer } from './changes.js';
export { statusOf } from './errors.js';
export type * from './model.js';
export { openApiDocument } from './openapi.js';
export type * from './quiesce.js';
export type * from './requests.js';
export {
  type AnswerOf,
  type QueryKind,
  type RequestOf,
  ROUTE_NAMES,
  ROUTES,
  type Route,
  type RouteName,
} from './routes.js';
export type * from './rule-answers.js';
export type * from './rule-requests.js';
export { StreamParser } from './stream-parser.js';
