/** Sockets that systemd has opened for this process (`sd_listen_fds_with_names(3)`). */

/** The first descriptor that is passed on. */
const FIRST_FD = 3;

/**
 * The descriptors by name. They are taken out of the environment: a process that this one starts is not meant by them.
 */
export function takeActivation(
  environment: Record<string, string | undefined>,
  pid: number,
): ReadonlyMap<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  if (LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS ?? '')) return new Map();
  const names = (LISTEN_FDNAMES ?? '').split(':');
  return new Map(
    Array.from({ length: Number(LISTEN_FDS) }, (_, at) => [names[at] ?? `${at}`, FIRST_FD + at] as const),
  );
}
