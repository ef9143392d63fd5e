/** The OpenAPI document: its structure, its references, and every route in it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openApiDocument, ROUTE_NAMES, ROUTES } from '../../src/api/index.js';

type Json = Readonly<Record<string, unknown>>;

/** Every object in a value. */
function objectsIn(value: unknown): Json[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.values(value).flatMap(objectsIn);
  return Array.isArray(value) ? inner : [value as Json, ...inner];
}

describe('the OpenAPI document', () => {
  const document = openApiDocument('1.2.3');
  const paths = document.paths as Readonly<Record<string, Readonly<Record<string, Json>>>>;
  const { schemas } = document.components as { readonly schemas: Readonly<Record<string, Json>> };

  it('is one of OpenAPI 3.1, and plain JSON', () => {
    assert.equal(document.openapi, '3.1.0');
    assert.deepEqual(Object.keys(document).sort(), ['components', 'info', 'openapi', 'paths', 'security']);
    assert.equal((document.info as Json).version, '1.2.3');
    assert.deepEqual(JSON.parse(JSON.stringify(document)), document);
  });

  it('has every route, once, with what it takes and answers', () => {
    assert.deepEqual(Object.keys(paths).sort(), ROUTE_NAMES.map((name) => ROUTES[name].path).sort());
    const ids = new Set<unknown>();
    for (const name of ROUTE_NAMES) {
      const { path, method } = ROUTES[name];
      const operation = paths[path]![method.toLowerCase()]!;
      ids.add(operation.operationId);
      assert.match(String(operation.summary), /^[A-Z].*\.$/s, name);
      assert.equal(operation.requestBody !== undefined, method === 'POST', name);
      const responses = operation.responses as Readonly<Record<string, { readonly content: Json }>>;
      const [content] = Object.values(responses['200']!.content) as [{ readonly schema: Json }];
      assert.ok(Object.keys(content.schema).length > 0, `${name} has an answer`);
    }
    assert.equal(ids.size, ROUTE_NAMES.length);
  });

  it('has references that all lead somewhere, and nothing that none leads to', () => {
    const references = objectsIn(document).flatMap(({ $ref }) => ($ref === undefined ? [] : [String($ref)]));
    assert.ok(references.length > 100);
    const named = references.map((reference) => reference.replace('#/components/schemas/', ''));
    assert.deepEqual([...new Set(named)].sort(), Object.keys(schemas).sort());
  });

  it('has keywords of JSON Schema only, with their kinds of values', () => {
    for (const schema of objectsIn(schemas)) {
      if (typeof schema.type !== 'string') continue;
      assert.match(schema.type, /^(object|array|string|number|integer|boolean|null)$/);
      assert.equal(typeof (schema.description ?? ''), 'string');
      if (schema.required !== undefined)
        for (const name of schema.required as string[]) assert.ok(name in (schema.properties as Json), name);
      assert.equal('$id' in schema || '$schema' in schema, false);
    }
  });

  it('refuses fields of requests that are not known, and lets answers have more', () => {
    for (const [name, schema] of Object.entries(schemas)) {
      const variants = (schema.anyOf as Json[] | undefined) ?? [schema];
      for (const variant of variants)
        if (name.endsWith('Request') && name !== 'AskRequest')
          assert.equal(variant.additionalProperties, false, name);
        else assert.notEqual(variant.additionalProperties, false, name);
    }
  });

  it('marks what is required of whom', () => {
    assert.deepEqual(paths['/healthz']!.get!.security, []);
    assert.match(String(paths['/api/v1/audit']!.get!.description), /admin/);
    const parameters = paths['/api/v1/controller/info']!.get!.parameters as Json[];
    assert.deepEqual(
      parameters.map(({ name, required }) => [name, required]),
      [
        ['domain', true],
        ['devid', true],
      ],
    );
  });
});
