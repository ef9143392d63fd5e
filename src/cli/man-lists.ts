/** The parts of the man page that do not come from the commands themselves. */

/** Variables of the environment. */
export const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['XENSTORED_PATH', "Path of xenstored's socket or character device."],
  ['XENSTORED_RUNDIR', "The directory that contains xenstored's socket."],
  ['PVUSB_SYSFS', 'Mount point of sysfs; default /sys.'],
  ['PVUSB_USERDATA', "Where libxl keeps the guests' configurations; default /var/lib/xen."],
  ['PVUSB_PROC', 'Mount point of procfs, which shows how the host uses its devices; default /proc.'],
  ['PVUSB_DEV', 'Where the device nodes are; default /dev.'],
  ['PVUSB_RULES', 'Directory of the rules; default /etc/pvusb.'],
  ['PVUSB_STATE', 'Directory of the state that survives a reboot; default /var/lib/pvusb.'],
  ['PVUSB_AUDIT', 'Directory of the audit log; default /var/log/pvusb.'],
  [
    'PVUSB_COMMAND_SOCKET',
    'The socket on which the daemon accepts commands; default /run/pvusb/command.sock.',
  ],
  ['PVUSB_PROGRAM', 'The full program, which the launcher starts if no daemon answers.'],
  ['PVUSB_HOST', 'The daemon to run commands on, like --host.'],
  ['PVUSB_TOKEN', 'The token for that daemon.'],
  ['PVUSB_API_SOCKET', "The socket of this host's daemon; default /run/pvusb/api.sock."],
  ['PVUSB_QMP', "Directory of the monitor sockets of the guests' QEMUs; default /var/run/xen."],
  ['PVUSB_USBIDS', 'The list of vendor and product names; default: the installed usb.ids.'],
  [
    'COLUMNS',
    'The width that tables are fitted to; default: that of the terminal. If the output is not a terminal, nothing is truncated.',
  ],
  ['NO_COLOR', 'If set and not empty, no escape sequences are printed, and so no progress is shown.'],
  ['TERM', 'The value dumb has the same effect as NO_COLOR.'],
];

/** Files and folders. */
export const FILES: readonly (readonly [path: string, meaning: string])[] = [
  ['/run/xenstored/socket', "xenstored's socket; /dev/xen/xenbus is used if it does not exist."],
  [
    '/etc/pvusb/assignments.conf',
    'The rules: which guest gets which device. Files in /etc/pvusb/assignments.d whose names end in .conf are read too.',
  ],
  ['/etc/pvusb/tokens', 'Who may use the daemon over TCP: names, roles and the hashes of their tokens.'],
  ['/var/lib/pvusb/quiesced/TOKEN.json', 'What a quiesced guest had.'],
  ['/var/log/pvusb/audit-NUMBER.jsonl', 'The audit log: what was changed, by whom and why.'],
  ['/sys/bus/usb', "The host's USB devices and their drivers."],
  [
    '/var/lib/xen/userdata-d.DOMID.UUID.libxl-json',
    'The saved configuration of a guest, which is updated with every change. Its lock is userdata-l.DOMID.UUID.domain-userdata-lock.',
  ],
  ['/var/run/xen/qmp-libxl-DOMID', "The monitor socket of a guest's QEMU."],
  ['/var/log/xen/qemu-dm-NAME.log', 'The log of that QEMU.'],
  [
    '/usr/share/misc/usb.ids',
    'Vendor and product names. The file is also looked for in /usr/share/hwdata and /var/lib/usbutils.',
  ],
];

/** Typical uses of the program. */
export const EXAMPLES: readonly { readonly what: string; readonly lines: readonly string[] }[] = [
  {
    what: 'See what is plugged in, and lend the device in socket 4-1 to the guest u1 after checking what that would do:',
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
    what: 'Find and repair what is half done or left over:',
    lines: ['pvusb doctor', 'pvusb doctor --fix'],
  },
  {
    what: 'Always give a device to a guest, wherever it is plugged in; see what the rules do, and apply them:',
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
    what: 'Keep devices with their guests across reboots:',
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
    what: 'Record this host and try pvusb on the recording, without Xen (bash):',
    lines: [
      'pvusb inventory > host.json',
      'pvusb sim --dir /tmp/host --world host.json > /tmp/host.env &',
      'until grep -q ^ready /tmp/host.env; do sleep 1; done',
      'eval "$(grep ^export /tmp/host.env)"',
      'pvusb devices',
    ],
  },
];
