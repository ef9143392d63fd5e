/** Generated rules, devices and guests: few of each kind of value, so that many match. */
import fc from 'fast-check';
import type { Rule } from '../../src/rules/index.js';
import { parseBusid, parseDeviceName, type UsbDevice } from '../../src/sysfs/index.js';

const IDS = ['1111:0001', '1111:0002', '2222:0001'] as const;
const SERIALS = ['A', 'B', 'é "q" \\'] as const;
const CLASSES = ['08/06/50', '08/06/62', '03/01/01', 'ff/00/00'] as const;
const HASHES = ['A', 'B'].map((letter) => `${letter.repeat(43)}=`);

/** Where devices are: two controllers, one of them with both halves of its sockets. */
const SOCKETS = ['0000:00:14.0/1', '0000:00:14.0/2.1', '0000:00:14.0/2.2', '0000:01:00.0/1'] as const;

/** A rule as it is written. */
export const anyRuleLine: fc.Arbitrary<Omit<Rule, 'place'>> = fc
  .record({
    mode: fc.constantFrom('auto' as const, 'ask' as const, 'required' as const, 'deny' as const),
    guest: fc.constantFrom('u1', 'u2', 'a guest', '#1', 'x=y', '6f0d9c2e-13b4-4f6e-8d5a-1f0a2b3c4d5e', '*'),
    identity: fc.record(
      {
        ids: fc.constantFrom(...IDS, '1111:*'),
        serial: fc.constantFrom(...SERIALS, ''),
        socket: fc.constantFrom(...SOCKETS),
        behind: fc.constantFrom('0000:00:14.0/2', '0000:00:14.0/1'),
        interfaces: fc.uniqueArray(fc.constantFrom(...CLASSES, '08', '08/06/*', '03/*'), {
          minLength: 1,
          maxLength: 2,
        }),
        hash: fc.constantFrom(...HASHES),
      },
      { requiredKeys: [] },
    ),
    every: fc.boolean(),
    devid: fc.option(fc.constantFrom(0, 1), { nil: undefined }),
    port: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
    followS: fc.option(fc.constantFrom(0, 30), { nil: undefined }),
    name: fc.option(fc.constantFrom('Stick', 'a "b"'), { nil: undefined }),
  })
  .map(({ mode, guest, identity, every, devid, port, followS, name }) => {
    const isDeny = mode === 'deny';
    const named = Object.keys(identity).length > 0 ? { ...identity } : { ids: IDS[0] };
    return {
      mode,
      guest: guest === '*' && !isDeny ? 'u1' : guest,
      identity: isDeny ? { ...identity } : named,
      every: !isDeny && every,
      ...(isDeny || devid === undefined ? {} : { devid }),
      ...(isDeny || devid === undefined || port === undefined ? {} : { port }),
      ...(isDeny || followS === undefined ? {} : { followS }),
      ...(name === undefined ? {} : { name }),
    };
  });

/** Rules of one file. */
export const anyRules: fc.Arbitrary<Rule[]> = fc
  .array(anyRuleLine, { maxLength: 6 })
  .map((rules) =>
    rules.map((rule, index) => ({ ...rule, place: { file: 'a.conf', line: index + 1, column: 1 } })),
  );

const rootHub = (bus: number, controller: string): UsbDevice => ({
  busid: parseDeviceName(`usb${bus}`)!,
  kind: 'root-hub',
  bus,
  address: 1,
  vendorId: '1d6b',
  productId: '0002',
  deviceClass: '09',
  speedMbps: 480,
  serial: controller,
  interfaces: [],
});

/** What is in each of {@link SOCKETS}, if anything, with the hubs that are there. */
export const anyDevices: fc.Arbitrary<UsbDevice[]> = fc
  .tuple(...['1-1', '1-2.1', '1-2.2', '2-1'].map(anyDevice))
  .map((devices) => [
    rootHub(1, '0000:00:14.0'),
    rootHub(2, '0000:01:00.0'),
    ...devices.flatMap((device) => device ?? []),
  ]);

function anyDevice(name: string): fc.Arbitrary<UsbDevice | undefined> {
  const busid = parseBusid(name)!;
  return fc.option(
    fc
      .record(
        {
          ids: fc.constantFrom(...IDS),
          serial: fc.constantFrom(...SERIALS),
          interfaces: fc.array(fc.constantFrom(...CLASSES), { maxLength: 2 }),
          hash: fc.constantFrom(...HASHES),
        },
        { requiredKeys: ['ids', 'interfaces'] },
      )
      .map(({ ids, interfaces, ...rest }): UsbDevice => {
        const [vendorId, productId] = ids.split(':') as [string, string];
        return {
          busid,
          kind: 'device',
          bus: Number(name[0]),
          address: 9,
          vendorId,
          productId,
          deviceClass: '00',
          speedMbps: 480,
          interfaces: interfaces.map((classes, number) => ({
            id: `${name}:1.${number}` as never,
            number,
            classes,
          })),
          ...rest,
        };
      }),
    { nil: undefined, freq: 5 },
  );
}
