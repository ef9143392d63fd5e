import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleted, generic, guest, type Message, missing, stick, timeless } from './raw-qmp.js';

/** Asked one after another of one QEMU; the answers are QEMU 7.2.22's. */
const TABLE: readonly (readonly [execute: string, args: Message | undefined, answers: readonly Message[]])[] =
  [
    ['foo', undefined, [{ error: { class: 'CommandNotFound', desc: 'The command foo has not been found' } }]],
    [
      'qmp_capabilities',
      undefined,
      [
        {
          error: {
            class: 'CommandNotFound',
            desc: 'Capabilities negotiation is already complete, command ignored',
          },
        },
      ],
    ],
    ['device_add', undefined, [generic("Parameter 'driver' is missing")]],
    ['device_add', { driver: 'zzz' }, [generic("'zzz' is not a valid device model name")]],
    ['device_add', { ...stick, id: 'd', port: '1' }, [generic("Bus 'xenusb-0.0' not found")]],
    ['device_add', { driver: 'usb-ehci', id: 'xenusb-0' }, [{ return: {} }]],
    ['device_add', { driver: 'usb-ehci', id: 'xenusb-0' }, [generic("Duplicate device ID 'xenusb-0'")]],
    ['device_add', { driver: 'usb-ehci', id: '9x' }, [generic("Parameter 'id' expects an identifier")]],
    ['device_add', { driver: 'nec-usb-xhci', id: 'xenusb-1', p2: 4, p3: 4 }, [{ return: {} }]],
    [
      'device_add',
      { ...stick, id: 'd', port: '7' },
      [generic('usb port 7 (bus xenusb-0.0) not found (in use?)')],
    ],
    [
      'device_add',
      { ...stick, id: 'd', port: '1', hostaddr: 77 },
      [generic('failed to find host usb device 1:77')],
    ],
    [
      'device_add',
      { ...stick, id: 'd', port: '1', hostaddr: '2' },
      [generic("Invalid parameter type for 'hostaddr', expected: integer")],
    ],
    ['device_add', { ...stick, id: 'd', port: '1' }, [{ return: {} }]],
    [
      'device_add',
      { ...stick, id: 'e', port: '1' },
      [generic('usb port 1 (bus xenusb-0.0) not found (in use?)')],
    ],
    // A full-speed device in an EHCI's port.
    [
      'device_add',
      { ...stick, id: 'e', port: '2', hostbus: 3, hostaddr: 4 },
      [generic('failed to open host usb device 3:4')],
    ],
    [
      'qom-list',
      { path: '/machine/peripheral' },
      [
        {
          return: [
            { name: 'type', type: 'string' },
            { name: 'xenusb-0', type: 'child<usb-ehci>' },
            { name: 'xenusb-1', type: 'child<nec-usb-xhci>' },
            { name: 'd', type: 'child<usb-host>' },
          ],
        },
      ],
    ],
    ['qom-list', { path: '/machine/zzz' }, [missing("Device '/machine/zzz' not found")]],
    ['qom-get', { path: '/machine/peripheral/d', property: 'hostaddr' }, [{ return: 2 }]],
    ['qom-get', { path: '/machine/peripheral/d', property: 'hostport' }, [{ return: '' }]],
    ['qom-get', { path: '/machine/peripheral/d', property: 'attached' }, [{ return: true }]],
    [
      'qom-get',
      { path: '/machine/peripheral/d', property: 'parent_bus' },
      [{ return: '/machine/peripheral/xenusb-0/xenusb-0.0' }],
    ],
    [
      'qom-get',
      { path: '/machine/peripheral/d', property: 'zz' },
      [generic("Property 'usb-host.zz' not found")],
    ],
    [
      'qom-get',
      { path: '/machine/peripheral/z', property: 'zz' },
      [missing("Device '/machine/peripheral/z' not found")],
    ],
    ['device_del', undefined, [generic("Parameter 'id' is missing")]],
    ['device_del', { id: 'zz' }, [missing("Device 'zz' not found")]],
    ['device_del', { id: 'd' }, [{ return: {} }, deleted('d')]],
    ['device_add', { ...stick, id: 'd', port: '1' }, [{ return: {} }]],
    ['device_del', { id: 'xenusb-0' }, [{ return: {} }, deleted('d'), deleted('xenusb-0')]],
    ['device_del', { id: 'xenusb-0' }, [missing("Device 'xenusb-0' not found")]],
  ];

describe('the answers of a simulated QEMU', () => {
  it('answers like the real one', async () => {
    const { host, client } = await guest();
    for (const [execute, args, answers] of TABLE) {
      const heard = (await client.ask(execute, args)).map(timeless);
      assert.deepEqual(heard, answers, `${execute} ${JSON.stringify(args)}`);
    }
    await host.close();
  });

  it("says what is not a command, in the real one's words", async () => {
    const { host, client } = await guest();
    const table = {
      '[1]': 'QMP input must be a JSON object',
      '{"execute":5}': "QMP input member 'execute' must be a string",
      '{"arguments":{}}': "QMP input lacks member 'execute'",
      '{"execute":"query-status","x":1}': "QMP input member 'x' is unexpected",
      'garbage\n': "JSON parse error, invalid keyword 'garbage'",
    };
    for (const [text, desc] of Object.entries(table)) {
      client.send(text);
      assert.deepEqual(await client.heard(), [generic(desc)]);
    }
    client.send('{"execute":"query-st');
    client.send('atus","id":{"a":"}\\""}}{"execute":"foo","id":1}');
    const [first, second] = await client.heard();
    assert.deepEqual(first?.id, { a: '}"' });
    assert.equal(second?.id, 1);
    await host.close();
  });
});
