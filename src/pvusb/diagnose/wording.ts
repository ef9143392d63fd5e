/** Findings in words. */

import type { QuiescedGuest } from '../../quiesced/index.js';
import { escapeText } from '../../sysfs/text.js';
import type { Place } from '../model/find.js';
import type { ConfigDifference, Finding, OtherDriver } from '../model/finding.js';
import type { Port } from '../model/inventory.js';
import type { ControllerId } from '../model/layout.js';
import type { ConfigEdit } from '../model/plan.js';
import { capitalise, type Named, nameController, nameDomain, namePlace, namePort } from '../model/wording.js';
import { servedTypeOf } from '../types/types.js';

/** Nothing is known of any domain. */
const NOBODY: Named = { domains: [] };

/** A finding as one sentence; guests have names in it where `named` (an inventory, a diagnosis) knows them. Safe to print. */
export function describeFinding(finding: Finding, named: Named = NOBODY): string {
  switch (finding.finding) {
    case 'missing-device':
      return `${describePlace(named, finding.place)} holds ${finding.busid}, which has been pulled out.`;
    case 'port-without-binding':
      return `${describePlace(named, finding.place)} holds ${finding.busid}, but the guest does not have it: ${finding.notTaken ?? servedTypeOf(finding.place.controller)?.notTaken}.`;
    case 'virtual-not-opened':
      return `${describePlace(named, finding.place)} holds ${escapeText(finding.virtual)}, but the pvusb backend has not opened it; see its log.`;
    case 'other-device':
      return `${describePlace(named, finding.place)} holds ${finding.busid}, but another device is plugged in there now.`;
    case 'claimed-twice':
      return `${describePlace(named, finding.place)} holds ${finding.busid}, which another port holds too.`;
    case 'bad-port':
      return `${describePlace(named, finding.place)} ${describeBadPort(finding.place.port)}.`;
    case 'binding-without-port':
      return `${finding.busid} is bound to usbback, but not attached to any guest.`;
    case 'stale-saved-driver':
      return finding.isBack
        ? `Drivers are saved for ${finding.busid}, which no longer needs them.`
        : `Drivers are saved for ${finding.busid}, which is neither attached to a guest nor back on those drivers.`;
    case 'other-driver':
      return `${finding.busid} is back with the host, but ${finding.interfaces.map(describeOther).join(' and ')}.`;
    case 'orphan-backend':
      return `The backend ${finding.orphan.backend} belongs to no controller.`;
    case 'dead-domain':
      return `${describeController(named, finding.controller)} is left over: the domain is gone.`;
    case 'half-removed':
      return `${describeController(named, finding.controller)} is half removed.`;
    case 'no-usbback':
      return `The kernel driver usbback is not loaded, so ${finding.count} ${finding.count === 1 ? 'controller is' : 'controllers are'} not served: start the pvusb backend (systemctl start pvusb-backend), or modprobe usbback.`;
    case 'unserved-controller':
      return `${describeController(named, finding.controller)} is not served: ${servedTypeOf(finding.controller)?.server} has not taken it.`;
    case 'no-frontend':
      return `${describeController(named, finding.controller)} has devices, but no driver of the guest has connected to it: the guest is still starting, or its kernel has no PVUSB driver (xen-hcd; see docs/guests.md).`;
    case 'not-emulated':
      return `${describeController(named, finding.controller)} is missing: QEMU does not emulate it.`;
    case 'unnoticed-device':
      return `${describePlace(named, finding.place)} holds ${finding.busid}, which QEMU has, but the guest has not noticed it: ${finding.isReplugged ? 'it was replugged' : 'it may be paused, or hung, or without a driver'}.`;
    case 'config-unreadable':
      return `The saved configuration of ${nameDomain(named, finding.domid)} cannot be read: ${finding.problem}.`;
    case 'config-differs':
      return `The saved configuration of ${nameDomain(named, finding.difference.domid)} does not match the domain: ${describeEdits(finding.difference)}.`;
    case 'quiesced':
      return describeQuiesced(finding.guest);
    case 'dead-qemu': {
      const busids = finding.places.flatMap(({ port }) => port.busid ?? []).join(', ');
      return `The QEMU of ${nameDomain(named, finding.domid)} has died; it had been given ${busids}.`;
    }
    case 'unrecorded-device':
      return `${capitalise(namePort(named, finding))} is free, but QEMU has a device in it.`;
    case 'unrecorded-controller':
      return `${describeController(named, finding)} is removed, but its QEMU still has it.`;
  }
}

function describeQuiesced({ domid, name, token, isIncomplete, devices }: QuiescedGuest): string {
  const guest = name === undefined ? `Domain ${domid}` : `The guest "${escapeText(name)}"`;
  const busids = devices.map(({ busid }) => busid).join(', ') || 'nothing';
  return isIncomplete
    ? `${guest} has not got everything back: ${busids} (pvusb restore ${token}).`
    : `${guest} is quiesced: it gets ${busids} back when it is restored (pvusb restore ${token}).`;
}

function describeOther({ interface: intf, driver, was }: OtherDriver): string {
  return `${intf} is on ${driver}, not on ${was}`;
}

function describeEdits({ edits }: ConfigDifference): string {
  return edits.map(describeEdit).join(', ');
}

function describeEdit(edit: ConfigEdit): string {
  switch (edit.edit) {
    case 'add-controller':
      return `it lacks controller ${edit.controller.devid}`;
    case 'remove-controller':
      return `it names controller ${edit.devid}, which does not exist`;
    case 'add-device': {
      const { ctrl, port, hostbus, hostaddr } = edit.device;
      return `it lacks ${hostbus}.${hostaddr} in port ${port} of controller ${ctrl}`;
    }
    case 'remove-device':
      // libxl leaves an entry like this when it has lost its device.
      if (edit.ctrl < 0) return 'it names a device without a port';
      return `it names a device in port ${edit.port} of controller ${edit.ctrl} that is not there`;
  }
}

function describeBadPort({ busid, untrustedJunk }: Port): string {
  if (untrustedJunk !== undefined) return `holds "${escapeText(untrustedJunk)}", which is not a device`;
  return `does not exist, but holds ${busid}`;
}

function describePlace(named: Named, place: Place): string {
  return capitalise(namePlace(named, place));
}

function describeController(named: Named, controller: ControllerId): string {
  return capitalise(nameController(named, controller));
}

/** The same for the same finding, whenever it is found: distinguishes what lasts from what is just being done. */
export function findingKey(finding: Finding): string {
  // Other repairs change what is wrong with it: it is one finding all the same.
  if (finding.finding === 'config-differs') return `config-differs ${finding.difference.domid}`;
  return describeFinding(finding);
}
