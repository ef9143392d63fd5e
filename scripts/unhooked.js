// Imported before tests. node:test follows every promise from its creation to its collection, in order to tell which
// test an uncaught error belongs to; that costs tests with many promises a third of their time. Without it an error that
// is thrown after an `await`, and that nobody catches, fails the process and not a test.
import hooks from 'node:async_hooks';

const { createHook } = hooks;
hooks.createHook = ({ init }) =>
  createHook({
    init(id, type, ...others) {
      if (type !== 'PROMISE') init(id, type, ...others);
    },
  });
await import('node:test');
hooks.createHook = createHook;

// node:test tells what such an error says, but not where it comes from.
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => console.error(error));
