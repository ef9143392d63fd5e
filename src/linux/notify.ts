/** What a service tells systemd about itself (`sd_notify(3)`), and how often it has to (`sd_watchdog_enabled(3)`). */
import { loadSendDatagram, type SendDatagram } from './datagram.js';

/** What tells systemd. */
interface Notifier {
  /** How long systemd waits for a `WATCHDOG=1`, in milliseconds: send it at half of that. Undefined: it does not. */
  readonly watchdogMs: number | undefined;
  /**
   * Tells systemd: `READY=1`, `STATUS=...`, several with line feeds. False, and nothing happens, if systemd has not
   * started this process.
   *
   * @throws {LinuxError}
   */
  notify(state: string): Promise<boolean>;
}

/**
 * Reads what systemd has put into the environment, once: the variables are removed from it, so that processes which
 * this one starts do not speak for it.
 */
export function openNotifier(environment: Record<string, string | undefined>, pid: number): Notifier {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC, WATCHDOG_PID } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  const microseconds = /^[1-9]\d{0,15}$/.test(WATCHDOG_USEC ?? '') ? Number(WATCHDOG_USEC) : undefined;
  // Meant for another process, which has passed it on.
  const isOurs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  let loading: Promise<SendDatagram> | undefined;
  return {
    watchdogMs: isOurs && microseconds !== undefined ? microseconds / 1000 : undefined,
    async notify(state) {
      if (!path) return false;
      loading ??= loadSendDatagram();
      (await loading)(path, Buffer.from(state));
      return true;
    },
  };
}
