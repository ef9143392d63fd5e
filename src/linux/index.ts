/** Calls of the kernel that Node does not have. */
export { groupNamed } from './group.js';
export { openNotifier } from './notify.js';
export { loadPeerOf, type PeerOf } from './peer.js';
