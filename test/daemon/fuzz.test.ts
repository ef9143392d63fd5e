/** What strangers send: a few thousand inputs; `npm run fuzz:api` runs 100,000. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { it } from 'node:test';
import { ROUTE_NAMES, ROUTES, type Route } from '../../src/api/index.js';
import { StreamParser } from '../../src/api/stream-parser.js';
import { errorOf } from '../../src/client/errors.js';
import { parseRequest, routeFor, targetOf } from '../../src/daemon/http/incoming.js';
import { formatMetrics } from '../../src/daemon/http/metrics.js';
import { HttpProblem } from '../../src/daemon/http/problem.js';
import { bearerIn, parseTokens, tokenOf } from '../../src/daemon/http/tokens.js';
import { PvusbError } from '../../src/pvusb/index.js';
import { attempt, controlCharacter, type Dice, fuzz } from '../fuzz/fuzz.js';
import { apiStage, HOST, TOKENS } from './stage.js';

/** How many inputs, of which each parser gets its share. */
const COUNT = Number(process.env.PVUSB_FUZZ ?? 4_000);
const share = (part: number): number => Math.ceil(COUNT * part);

/** Fields that requests have, so that many get far. */
const FIELDS = [
  'domain',
  'device',
  'devid',
  'port',
  'dryRun',
  'operation',
  'force',
  'settings',
  'mode',
  'by',
  'id',
  'grant',
  'rule',
  'format',
  'text',
  '__proto__',
  'constructor',
  'toString',
  'length',
];

function anyValue(dice: Dice, depth = 0): unknown {
  const kind = dice.int(depth > 3 ? 6 : 9);
  if (kind === 0) return dice.text();
  if (kind === 1) return dice.int(70_000);
  if (kind === 2) return dice.pick([true, false, null, -1, 0.5, 1e308, '']);
  if (kind === 3) return dice.pick(['u1', '4-1', 'auto', 'usbguard', 'assignments.conf:1', 'allow', 'ask']);
  if (kind < 6) return dice.chance(0.5) ? 'u1' : 1;
  if (kind === 6) return Array.from({ length: dice.int(4) }, () => anyValue(dice, depth + 1));
  const entries = Array.from({ length: dice.int(5) }, () => [
    dice.chance(0.8) ? dice.pick(FIELDS) : dice.text(),
    anyValue(dice, depth + 1),
  ]);
  // As text, so that __proto__ is a field.
  return entries;
}

function jsonOf(value: unknown): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  const isObject = value.every((one) => Array.isArray(one) && typeof one[0] === 'string');
  if (!isObject) return `[${value.map(jsonOf).join(',')}]`;
  return `{${value.map(([key, inner]) => `${JSON.stringify(key)}:${jsonOf(inner)}`).join(',')}}`;
}

function mutated(dice: Dice, text: string): string {
  if (!dice.chance(0.2)) return text;
  const at = dice.int(text.length + 1);
  return text.slice(0, at) + dice.text() + text.slice(at + dice.int(4));
}

const isProblem = (error: unknown): boolean => {
  if (!(error instanceof HttpProblem)) return false;
  assert.ok(error.status >= 400 && error.status < 500);
  assert.equal(controlCharacter(error.error.message), undefined, 'it can be printed');
  assert.ok(error.error.message.length < 1_000);
  return true;
};

it('bodies and queries are refused, or are what the route takes', async () => {
  await fuzz('requests of the API', share(0.6), (dice) => {
    const name = dice.pick(ROUTE_NAMES);
    const route: Route = ROUTES[name];
    const isGet = route.method === 'GET';
    const text = mutated(dice, jsonOf(anyValue(dice)));
    const query = isGet
      ? mutated(
          dice,
          `${dice.pick(FIELDS)}=${new URLSearchParams({ x: dice.text() }).toString().slice(2)}&domain=u1`,
        )
      : '';
    const body = dice.chance(0.05) ? dice.bytes(60) : Buffer.from(text);
    const parsed = attempt(() => ({ request: parseRequest(name, query, body) }), isProblem);
    if (!parsed) return;
    // What was taken is taken again, and brings nothing with it that was not asked for.
    assert.deepEqual(route.request.parse(parsed.request), parsed.request);
    assert.equal(Object.getPrototypeOf(parsed.request), Object.prototype);
  });
});

it('targets are routes, or there is none', async () => {
  await fuzz('targets of requests', share(0.1), (dice) => {
    const known = dice.pick(ROUTE_NAMES);
    const url = mutated(dice, dice.chance(0.7) ? `${ROUTES[known].path}?${dice.text()}` : dice.text());
    const { path, query } = targetOf({ url });
    assert.ok(url === path || url === `${path}?${query}`);
    const found = attempt(() => routeFor(path, dice.pick(['GET', 'POST', 'PUT', dice.text()])), isProblem);
    if (found !== undefined) assert.equal(ROUTES[found].path, path);
  });
});

it('files of tokens let in those who are in them, and nobody else', async () => {
  await fuzz('files and headers of tokens', share(0.15), (dice) => {
    const hash = dice.chance(0.8) ? '0a'.repeat(32) : dice.text();
    const line = () =>
      mutated(
        dice,
        `${dice.chance(0.7) ? 'one' : dice.text()} ${dice.pick(['viewer', 'operator', 'admin', dice.text()])} ${hash} guests=${dice.text()}`,
      );
    const { tokens, problems } = parseTokens(`${line()}\n${line()}\n${dice.text()}`);
    for (const { message, line: at } of problems) {
      assert.equal(controlCharacter(message), undefined);
      assert.ok(at > 0);
    }
    for (const { role, guests } of tokens) if (guests) assert.equal(role, 'operator');
    assert.equal(tokenOf(tokens, dice.text()), undefined);
    const token = bearerIn(mutated(dice, `Bearer ${dice.text()}`));
    if (token !== undefined) assert.match(token, /^[\w.~+/-]{1,512}=*$/);
  });
});

it('what a daemon answers is understood, or one of our errors; labels stay labels', async () => {
  await fuzz('answers, streams and labels', share(0.15), (dice) => {
    assert.ok(
      errorOf({ statusCode: dice.int(600) }, mutated(dice, jsonOf(anyValue(dice)))) instanceof PvusbError,
    );
    const parser = new StreamParser();
    for (const { data } of parser.push(Buffer.from(mutated(dice, `id: 1\ndata: ${dice.text()}\n\n`))))
      assert.equal(typeof data, 'string');
    const text = formatMetrics([
      { name: 'x', help: 'y', type: 'gauge', samples: [{ labels: { a: dice.text() }, value: 1 }] },
    ]);
    assert.match(text, /^# HELP x y\n# TYPE x gauge\nx\{a="(?:[^"\\\n]|\\["\\])*"\} 1\n$/);
  });
});

it('the server outlives whatever comes to its port', { timeout: 120_000 }, async () => {
  await using stage = await apiStage({ headersMs: 2_000, bodyMs: 2_000, idleMs: 1 });
  const start = [
    `GET /api/v1/version HTTP/1.1\r\nHost: ${HOST}\r\n`,
    `POST /api/v1/attach HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\n`,
  ];
  await fuzz('connections to the API', Math.min(share(0.05), 1_000), async (dice) => {
    const socket = connect(stage.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const auth = dice.chance(0.5) ? `Authorization: Bearer ${TOKENS.admin}\r\n` : '';
    const body = jsonOf(anyValue(dice));
    const head = `${dice.pick(start)}${auth}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    socket.end(dice.chance(0.1) ? dice.bytes(200) : mutated(dice, head));
    await closed;
  });
  const headers = { Authorization: `Bearer ${TOKENS.viewer}` };
  assert.equal((await stage.raw({ path: '/api/v1/version', headers })).status, 200);
  assert.deepEqual(stage.faults, []);
});
