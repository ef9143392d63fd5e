/** The version of this program; the build puts package.json's here. */
declare const PVUSB_VERSION: string | undefined;

/** As in package.json; `0.0.0-dev` when it runs without having been built. */
export const VERSION: string = typeof PVUSB_VERSION === 'undefined' ? '0.0.0-dev' : PVUSB_VERSION;
