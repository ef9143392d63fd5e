import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimStore, StoreError } from '../../src/sim/store/index.js';

const refused = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;

describe('SimStore nodes', () => {
  it('starts like a host without guests', () => {
    assert.equal(
      new SimStore().dump(),
      `/local = ""   (n0)
/local/domain = ""   (n0)
/local/domain/0 = ""   (n0)
/local/domain/0/domid = "0"   (n0)
/local/domain/0/name = "Domain-0"   (n0)
/tool = ""   (n0)
/tool/xenstored = ""   (n0)
`,
    );
  });

  it('creates missing parents, and lists in order of creation', async () => {
    const dom0 = new SimStore().handle(0);
    await dom0.write('/t/z/deep', 'é');
    await dom0.mkdir('/t/a');
    await dom0.write('/t/m', '');
    await dom0.rm('/t/z');
    await dom0.write('/t/z', '1');
    assert.deepEqual(await dom0.directory('/t'), ['a', 'm', 'z']);
    assert.equal(await dom0.read('/t/z/deep'), undefined);
    assert.equal(await dom0.directory('/nope'), undefined);
    await dom0.mkdir('/t/z');
    assert.equal(await dom0.read('/t/z'), '1');
    await dom0.write('relative', 'é');
    assert.equal(await dom0.read('/local/domain/0/relative'), 'é');
  });

  it('removes missing nodes, but not below missing parents, and never the root', async () => {
    const dom0 = new SimStore().handle(0);
    await dom0.rm('/nope');
    await assert.rejects(dom0.rm('/nope/x'), refused('ENOENT'));
    await assert.rejects(dom0.rm('/'), refused('EINVAL'));
  });

  it('refuses bad and too long paths', async () => {
    const dom0 = new SimStore().handle(0);
    for (const path of [
      '',
      '//',
      '/t/',
      '/t//a',
      '/a.b',
      '/a b',
      '@introduceDomain',
      `/${'a'.repeat(2048)}`,
    ]) {
      await assert.rejects(dom0.read(path), refused('EINVAL'), path);
    }
    assert.equal(await dom0.read(`/local/domain/77/${'a'.repeat(2048)}`), undefined);
    await assert.rejects(dom0.read(`/local/domain/77/${'a'.repeat(2049)}`), refused('EINVAL'));
  });

  it('loads 50,000 nodes and prints them again', () => {
    const lines: string[] = [];
    for (let at = 0; at < 50_000; at += 1)
      lines.push(`/big/${at % 100}/${at} = "${at}"   (n0,r${at % 100})\n`);
    const store = new SimStore();
    store.load(lines.join(''));
    assert.equal(store.dump().split('\n').length, 50_000 + 100 + 1 + 1);
  });
});

describe('SimStore.dump and load', () => {
  it('are inverse on a recorded store', () => {
    const captured = `/libxl = ""   (n0)
/libxl/1 = ""   (n0)
/libxl/1/device = ""   (n0)
/libxl/1/device/vusb = ""   (n0)
/libxl/1/device/vusb/0 = ""   (n0)
/libxl/1/device/vusb/0/backend = "/local/domain/0/backend/vusb/1/0"   (n0)
/libxl/1/device/vusb/0/port = ""   (n0)
/libxl/1/device/vusb/0/port/1 = ""   (n0)
/libxl/1/dm-version = "qemu_xen"   (n0)
/libxl/1/type = "pv"   (n0)
/local = ""   (n0)
/local/domain = ""   (n0)
/local/domain/0 = ""   (n0)
/local/domain/0/backend = ""   (n0)
/local/domain/0/backend/vusb = ""   (n0)
/local/domain/0/backend/vusb/1 = ""   (n0)
/local/domain/0/backend/vusb/1/0 = ""   (n0,r1)
/local/domain/0/backend/vusb/1/0/state = "4"   (n0,r1)
/local/domain/1 = ""   (n0,r1)
/local/domain/1/device = ""   (n0,r1)
/local/domain/1/device-model = ""   (n1)
`;
    const store = new SimStore();
    store.load(captured);
    assert.equal(store.dump(), captured);
  });

  it('escapes values like xenstore-ls', async () => {
    const store = new SimStore();
    await store.handle(0).write('/e', '\x007\x01\t\n\r\b\x7f"\\ (n0)é');
    const line = '/e = "\\0007\\001\\t\\n\\r\\x08\\x7f"\\\\ (n0)\\xc3\\xa9"   (n0)\n';
    assert.ok(store.dump().includes(line));
    store.load(line);
    assert.equal(store.dump(), line);
  });

  it('refuses what is not a dump and keeps the store', () => {
    const store = new SimStore();
    const before = store.dump();
    for (const line of [
      '/a',
      '/a = "1"',
      '/a = "1"   (x0)',
      'a = "1"   (n0)',
      '/a/ = ""   (n0)',
      '/a.b = ""   (n0)',
    ]) {
      assert.throws(() => store.load(line), refused('EINVAL'), line);
    }
    assert.equal(store.dump(), before);
  });
});
