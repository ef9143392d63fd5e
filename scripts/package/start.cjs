// The first code of the packaged program: loads its pieces from the executable, with the code that V8 has compiled for
// them.
const { dirname, join } = require('node:path');
const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

const loaded = new Map();

function load(name) {
  if (name.startsWith('node:')) return require(name);
  let module = loaded.get(name);
  if (module) return module.exports;
  module = { exports: {} };
  loaded.set(name, module);
  if (name === 'koffi') process.dlopen(module, join(dirname(process.execPath), 'koffi.node'));
  else piece(name.slice('./'.length).replace(/\.cjs$/, '.js'), name)(module.exports, load, module);
  return module.exports;
}

function piece(name, filename) {
  const source = Buffer.from(getRawAsset(name)).latin1Slice();
  const cachedData = Buffer.from(getRawAsset(name.replace(/\.js$/, '.code')));
  return new Script(source, { filename, cachedData }).runInThisContext();
}

load('./main.js');
