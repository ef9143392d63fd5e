/** What the man page says that no command says of itself. */

/** Variables of the environment. */
export const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['XENSTORED_PATH', "Path of xenstored's socket, or of its device."],
  ['XENSTORED_RUNDIR', "The folder of xenstored's socket."],
  ['PVUSB_SYSFS', 'Where sysfs is; default /sys.'],
  ['PVUSB_USERDATA', "Where libxl keeps guests' configurations; default /var/lib/xen."],
  ['PVUSB_PROC', 'Where the kernel says what the host does with its devices; default /proc.'],
  ['PVUSB_DEV', 'Where the device files are; default /dev.'],
  ['PVUSB_RULES', 'Where the rules are; default /etc/pvusb.'],
  ['PVUSB_STATE', 'Where what outlives a reboot is kept; default /var/lib/pvusb.'],
  ['PVUSB_AUDIT', 'Where the audit is; default /var/log/pvusb.'],
  ['PVUSB_COMMAND_SOCKET', 'Where the daemon takes commands; default /run/pvusb/command.sock.'],
  ['PVUSB_PROGRAM', 'The full program, which is started where no daemon answers.'],
  ['PVUSB_HOST', 'The daemon that runs commands, as with --host.'],
  ['PVUSB_TOKEN', 'The token for it.'],
  ['PVUSB_API_SOCKET', "The socket of this host's daemon; default /run/pvusb/api.sock."],
  ['PVUSB_QMP', "Where the monitors of the guests' QEMUs are; default /var/run/xen."],
  ['PVUSB_USBIDS', 'The list of vendor and product names; default: the installed usb.ids.'],
  [
    'COLUMNS',
    'The width that tables have to fit; default: that of the terminal. Where output is not a terminal, nothing is cut.',
  ],
  ['NO_COLOR', 'If set, and not empty, no escape sequences are printed: no progress is shown.'],
  ['TERM', 'With dumb, as with NO_COLOR.'],
];

/** Files and folders. */
export const FILES: readonly (readonly [path: string, meaning: string])[] = [
  ['/run/xenstored/socket', 'The socket of xenstored; /dev/xen/xenbus where there is none.'],
  [
    '/etc/pvusb/assignments.conf',
    'The rules: which guest gets which device. Files in /etc/pvusb/assignments.d whose names end in .conf are read too.',
  ],
  ['/etc/pvusb/tokens', 'Who may use the daemon over TCP: names, roles, and the hashes of their tokens.'],
  ['/var/lib/pvusb/quiesced/TOKEN.json', 'What a quiesced guest had.'],
  ['/var/log/pvusb/audit-NUMBER.jsonl', 'The audit: what was changed, by whom and why.'],
  ['/sys/bus/usb', "The host's USB devices and their drivers."],
  [
    '/var/lib/xen/userdata-d.DOMID.UUID.libxl-json',
    'The saved configuration of a guest, which follows every change. Its lock is userdata-l.DOMID.UUID.domain-userdata-lock.',
  ],
  ['/var/run/xen/qmp-libxl-DOMID', 'The monitor of the QEMU of a guest.'],
  ['/var/log/xen/qemu-dm-NAME.log', 'What that QEMU has said.'],
  [
    '/usr/share/misc/usb.ids',
    'Names of vendors and products. It is also looked for in /usr/share/hwdata and /var/lib/usbutils.',
  ],
];

/** What is done with it. */
export const EXAMPLES: readonly { readonly what: string; readonly lines: readonly string[] }[] = [
  {
    what: 'See what is plugged in, and lend the device in socket 4-1 to the guest u1, after a look at what that would do:',
    lines: ['pvusb devices', 'pvusb attach u1 4-1 --dry-run', 'pvusb attach u1 4-1', 'pvusb list u1'],
  },
  {
    what: 'Lend a stick by its ids and serial number, wherever it is plugged in; take it back:',
    lines: ['pvusb attach u1 46f4:0001:LAB0001', 'pvusb detach 46f4:0001:LAB0001'],
  },
  {
    what: 'Give a guest the devices of its configuration before it runs, and change them while it runs:',
    lines: [
      'xl create -p u1.cfg',
      'pvusb prepare u1.cfg',
      'xl unpause u1',
      'pvusb apply u1 u1.cfg --dry-run',
      'pvusb apply u1 u1.cfg',
    ],
  },
  {
    what: 'Find what is half done or left over, and repair it:',
    lines: ['pvusb doctor', 'pvusb doctor --fix'],
  },
  {
    what: 'Always give a device to a guest, wherever it is plugged in; see what the rules do, and carry them out:',
    lines: [
      'pvusb attach u1 4-1 --always',
      'pvusb assign u2 3-5 --by socket',
      'pvusb assignments',
      'pvusb explain 4-1',
      'pvusb reconcile --dry-run',
      'pvusb reconcile',
    ],
  },
  {
    what: 'Save a guest without its devices, and give them back to it when it is restored:',
    lines: [
      'token=$(pvusb quiesce --controllers u1)',
      'xl save u1 u1.save',
      'xl restore u1.save',
      'pvusb restore "$token"',
    ],
  },
  {
    what: 'Let devices follow their guests through reboots:',
    lines: ['pvusb watch'],
  },
  {
    what: 'The same on another host, where a daemon runs:',
    lines: [
      'export PVUSB_HOST=https://usb.example:8443 PVUSB_TOKEN=...',
      'pvusb list',
      'pvusb attach u1 4-1',
    ],
  },
  {
    what: 'Record this host, and try pvusb on its image, without Xen (bash):',
    lines: [
      'pvusb inventory > host.json',
      'pvusb sim --dir /tmp/host --world host.json > /tmp/host.env &',
      'until grep -q ^ready /tmp/host.env; do sleep 1; done',
      'eval "$(grep ^export /tmp/host.env)"',
      'pvusb devices',
    ],
  },
];
