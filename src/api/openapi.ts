/** The OpenAPI 3.1 document, made from the routes and their schemas. */
import { z } from 'zod';
import type { ApiDocument } from './answers.js';
import { errorAnswer } from './changes.js';
import { errorStatuses } from './errors.js';
import { NAMED } from './parts.js';
import { ROUTE_NAMES, ROUTES, type Route, type RouteName } from './routes.js';

type Json = Readonly<Record<string, unknown>>;

const SCHEMAS = '#/components/schemas/';

/** What marks the ids of schemas that have no name: they are written where they are used. */
const UNNAMED = '~';

/** The document for a version of the program. */
export function openApiDocument(version: string): ApiDocument {
  const all = jsonSchemas();
  const components = [...NAMED].map(([id, { description }]) => [id, { description, ...all.get(id) }]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'pvusb',
      version,
      description: "Lends a Xen host's USB devices to its guests.",
      license: { name: 'LGPL-2.1-only', identifier: 'LGPL-2.1-only' },
    },
    security: [{ token: [] }],
    paths: Object.fromEntries(
      ROUTE_NAMES.map((name) => {
        const { path, method } = ROUTES[name];
        return [path, { [method.toLowerCase()]: operation(name, all) }];
      }),
    ),
    components: {
      schemas: Object.fromEntries(components),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

/** Every schema as JSON Schema, by its name or by what it is for. */
function jsonSchemas(): ReadonlyMap<string, Json> {
  const all = z.registry<{ readonly id: string }>();
  for (const [id, { schema }] of NAMED) all.add(schema, { id });
  for (const name of ROUTE_NAMES) {
    const { request, answer }: Route = ROUTES[name];
    if (!all.has(request)) all.add(request, { id: `${UNNAMED}${name}` });
    if (!all.has(answer)) all.add(answer, { id: `${UNNAMED}${name} answer` });
  }
  const { schemas } = z.toJSONSchema(all, {
    target: 'draft-2020-12',
    // What is sent may have fields that a later version knows.
    io: 'input',
    uri: (id) => `${SCHEMAS}${id}`,
  });
  return new Map(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema as Json]),
  );
}

/** A schema: a reference to it if it has a name. */
function schemaOf(schema: z.ZodType, all: ReadonlyMap<string, Json>): Json {
  for (const [id, known] of NAMED) if (known.schema === schema) return { $ref: `${SCHEMAS}${id}` };
  const used = ROUTE_NAMES.find((name) => isOf(ROUTES[name], schema))!;
  const isRequest = (ROUTES[used] as Route).request === schema;
  return all.get(`${UNNAMED}${used}${isRequest ? '' : ' answer'}`)!;
}

function isOf({ request, answer }: Route, schema: z.ZodType): boolean {
  return request === schema || answer === schema;
}

function operation(name: RouteName, all: ReadonlyMap<string, Json>): Json {
  const route: Route = ROUTES[name];
  const { role, doc, method, request } = route;
  const isOpen = role === 'anyone';
  const asked = schemaOf(request, all);
  const failure = { 'application/json': { schema: schemaOf(errorAnswer, all) } };
  const errors = (isOpen ? [] : errorStatuses()).map(([status, description]) => [
    status,
    { description, content: failure },
  ]);
  return {
    operationId: name,
    summary: doc,
    description: isOpen ? 'For anyone.' : `For the role ${role} and above.`,
    ...(isOpen ? { security: [] } : {}),
    ...(method === 'GET' ? parametersOf(asked) : bodyOf(asked)),
    responses: {
      '200': { description: 'Done.', content: contentOf(route, all) },
      ...Object.fromEntries(errors),
    },
  };
}

function contentOf({ sends, answer }: Route, all: ReadonlyMap<string, Json>): Json {
  if (sends === 'text') return { 'text/plain': { schema: { type: 'string' } } };
  // The schema is that of the data of an event.
  const type = sends === 'stream' ? 'text/event-stream' : 'application/json';
  return { [type]: { schema: schemaOf(answer, all) } };
}

function bodyOf(schema: Json): Json {
  return { requestBody: { required: true, content: { 'application/json': { schema } } } };
}

function parametersOf({ properties = {}, required = [] }: Json): Json {
  const parameters = Object.entries(properties as Readonly<Record<string, Json>>).map(
    ([name, { description, ...schema }]) => ({
      name,
      in: 'query',
      required: (required as readonly string[]).includes(name),
      ...(description === undefined ? {} : { description }),
      schema,
    }),
  );
  return parameters.length === 0 ? {} : { parameters };
}
