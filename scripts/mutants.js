// Finds, in the compiled planners, everything that plans are made of: the elements of lists (facts, edits, steps,
// undos), lists as a whole, and fields that may be missing. Instruments the code so that each can be left out while it
// runs: a mutant is a number, and the global function `leftOut(number)` says whether it is on.
import { parse } from 'acorn';

/** Fields that a plan may or may not have. */
const OPTIONAL = new Set(['undo', 'otherwise', 'goOn', 'config', 'known', 'ifPossible', 'only', 'ignoring']);

/** What marks a module that makes parts of plans: an object with one of these fields. */
const MARKS = new Set(['fact', 'edit', 'act', 'undo', 'steps']);

/** What parts of a plan are not left out of: ways to another list, and arguments of other functions. */
const WAYS = new Set(['MemberExpression', 'CallExpression', 'NewExpression', 'SpreadElement']);

/** Methods that return lists. */
const LISTS = new Set(['map', 'flatMap', 'filter']);

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** The syntax tree of a module. */
export function treeOf(code) {
  return parse(code, { ecmaVersion: 'latest', sourceType: 'module' });
}

/** Whether a module makes parts of plans. */
export function isPlanner(tree) {
  return nodesOf(tree).some(({ node, parents }) => isMark(node) && isPure(parents));
}

function isMark(node) {
  return node.type === 'ObjectExpression' && node.properties.some(({ key }) => MARKS.has(key?.name));
}

/** In a function, but not in an asynchronous one: planning only computes. */
function isPure(parents) {
  const functions = parents.filter(({ type }) => FUNCTIONS.has(type));
  return functions.length > 0 && functions.every(({ async }) => !async);
}

/** The names of the functions and methods of some modules that always return lists. */
export function listFunctions(trees) {
  const functions = trees.flatMap((tree) => nodesOf(tree).flatMap(({ node }) => namedFunction(node)));
  const lists = new Set(functions.map(({ name }) => name));
  // Without those that turn out to return something else, until none does.
  for (let before = Number.POSITIVE_INFINITY; lists.size < before; ) {
    before = lists.size;
    for (const { name, body } of functions) if (!givesLists(body, lists)) lists.delete(name);
  }
  return lists;
}

function namedFunction(node) {
  const name = (node.id ?? node.key)?.name;
  const { body } = [node, node.init, node.value].find((value) => FUNCTIONS.has(value?.type)) ?? {};
  return name !== undefined && body ? [{ name, body }] : [];
}

function givesLists(body, lists) {
  const results =
    body.type === 'BlockStatement'
      ? nodesOf(body, (node) => !FUNCTIONS.has(node.type)).flatMap(({ node }) =>
          node.type === 'ReturnStatement' ? [node.argument] : [],
        )
      : [body];
  return results.length > 0 && results.every((result) => result && isList(result, lists));
}

function isList(node, lists) {
  if (node.type === 'ConditionalExpression') {
    return isList(node.consequent, lists) && isList(node.alternate, lists);
  }
  if (node.type !== 'CallExpression') return node.type === 'ArrayExpression';
  const { callee } = node;
  const name = callee.type === 'MemberExpression' ? callee.property.name : callee.name;
  return LISTS.has(name) || lists.has(name);
}

/**
 * The mutants of one module, and its code with all of them included.
 *
 * @param numberOf gives a new number for each
 */
export function instrument(code, tree, lists, numberOf) {
  const mutants = [];
  const insertions = [];
  const leaveOut = (node, before, after) => {
    const { start, end } = node;
    const number = numberOf();
    mutants.push({ number, start, text: code.slice(start, end) });
    insertions.push({ at: start, text: before(number) }, { at: end, text: after });
  };
  for (const { node, parents } of nodesOf(tree)) {
    const parent = parents.at(-1);
    if (!isPure(parents)) continue;
    if (parent.type === 'ArrayExpression') {
      leaveOut(node, (number) => `...(leftOut(${number}) ? [] : [`, '])');
    } else if (parent.type === 'ObjectExpression') {
      const mayBeMissing = node.type === 'SpreadElement' || OPTIONAL.has(node.key.name);
      if (mayBeMissing) leaveOut(node, (number) => `...(leftOut(${number}) ? {} : {`, '})');
    } else if (node.type === 'CallExpression' && isList(node, lists) && !WAYS.has(parent.type)) {
      leaveOut(node, (number) => `(leftOut(${number}) ? [] : `, ')');
    }
  }
  return { mutants, code: inserted(code, insertions) };
}

/** Outer ones come first in `insertions`: at the same place they begin first and end last. */
function inserted(code, insertions) {
  const befores = new Map();
  for (const [order, { at, text }] of insertions.entries()) {
    const isStart = order % 2 === 0;
    const there = befores.get(at) ?? { ends: '', starts: '' };
    befores.set(
      at,
      isStart ? { ...there, starts: there.starts + text } : { ...there, ends: text + there.ends },
    );
  }
  let result = '';
  let from = 0;
  for (const [at, { ends, starts }] of [...befores].sort(([a], [b]) => a - b)) {
    result += code.slice(from, at) + ends + starts;
    from = at;
  }
  return result + code.slice(from);
}

/** Every node below one, with all its ancestors, outermost first; not those in nodes that `enters` refuses. */
function nodesOf(root, enters = () => true) {
  const found = [];
  const visit = (node, parents) => {
    found.push({ node, parents });
    if (node !== root && !enters(node)) return;
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (typeof child?.type === 'string') visit(child, [...parents, node]);
      }
    }
  };
  visit(root, []);
  return found;
}
