/** The doctor: looks twice, and fixes what {@link diagnose} finds. */
import type { Busid } from '../../sysfs/index.js';
import { diagnose, findIdle } from '../diagnose/diagnose.js';
import { findingKey } from '../diagnose/wording.js';
import { type ExecuteOptions, executeInTurn } from '../execute/execute.js';
import type { PvusbError } from '../model/errors.js';
import { ConflictError, toPvusbError } from '../model/failure.js';
import { placesOf } from '../model/find.js';
import type { Finding } from '../model/finding.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import type { Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { planRepair } from '../plan/repair.js';
import { planRevive } from '../plan/revive.js';

/** How long something must stay as it is to count as left over, rather than as work in progress. */
const SETTLE_MS = 2000;

/** The same for what an operation may be waiting for: longer than the longest wait of xl and of pvusb. */
const SLOW_SETTLE_MS = 11_000;

/** Findings that work in progress looks like for as long as a backend may take to answer. */
const SLOW: ReadonlySet<Finding['finding']> = new Set([
  'unserved-controller',
  'half-removed',
  'port-without-binding',
  'virtual-not-opened',
  'other-device',
  'not-emulated',
  'unnoticed-device',
  'unrecorded-device',
  'unrecorded-controller',
  'config-differs',
]);

/** Rounds of looking and fixing: one repair can bring another finding to light. */
const ROUNDS = 4;

/** What the doctor found and did. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** The domains, by whose names {@link describeFinding} calls them. */
  readonly domains: readonly Domain[];
  /** A plan for each finding, in the same order. */
  readonly plans: readonly Plan[];
  /** What is still wrong; equals `findings` when nothing was to be fixed. */
  readonly remaining: readonly Finding[];
  /** Failures of repairs, a sentence each. */
  readonly failures: readonly string[];
  /** Devices that nobody has and no driver serves. That is not a fault: there may be no driver. A repair asks the kernel. */
  readonly idle: readonly Busid[];
  /** Those of them for which a repair found a driver. */
  readonly revived: readonly Busid[];
}

/** Options of {@link doctor}. */
export interface DoctorOptions extends ExecuteOptions {
  /** Fix what is found. */
  readonly fix?: boolean | undefined;
  /**
   * A finding must last this long to count. Default: 2 s; 11 s before fixing what looks like a waiting operation. 0: no
   * second look.
   */
  readonly settleMs?: number | undefined;
  /** Only findings for which this is true; all unless given. */
  readonly only?: ((finding: Finding) => boolean) | undefined;
  /** Of the devices that nobody has, only those for which this is true; all unless given. */
  readonly revivable?: ((busid: Busid) => boolean) | undefined;
  /** Called before the second look at a host with findings. */
  readonly onSettle?: ((settleMs: number) => void) | undefined;
  /** Called with each plan before it is carried out. */
  readonly onRepair?: ((finding: Finding, plan: Plan) => void) | undefined;
}

/**
 * Looks for half-done work, twice, so that what another process is doing right now is not mistaken for a leftover; with
 * `fix` it fixes what it found.
 *
 * @throws {PvusbError} when the host cannot be observed, or `aborted`; failures of single repairs are reported in the
 *   result
 */
export async function doctor(host: Host, options: DoctorOptions = {}): Promise<Diagnosis> {
  const { inventory, findings, idle } = await lastingFindings(host, options);
  const plans = findings.map((finding) => planRepair(inventory, finding));
  const seen = { findings, domains: inventory.domains, plans, idle };
  if (!options.fix) return { ...seen, remaining: findings, failures: [], revived: [] };
  const { failures } = await mend(host, new Set(findings.map(findingKey)), options);
  const revived = await revive(host, idle, options);
  const after = findings.length === 0 ? inventory : await look(host, options);
  return { ...seen, remaining: diagnose(after), failures, revived };
}

/** The host, and what the QEMUs that it depends on have. */
function look(host: Host, { signal }: DoctorOptions): Promise<Inventory> {
  return observe(host, { signal, asks: 'all', saved: 'all', quiesced: true, rings: true });
}

/** Asks the kernel for drivers of devices that nobody has. */
async function revive(host: Host, idle: readonly Busid[], options: DoctorOptions): Promise<Busid[]> {
  if (idle.length === 0) return [];
  const before = new Set(idle);
  for (;;) {
    const still = findIdle(await look(host, options)).filter(({ busid }) => before.has(busid));
    if (still.length === 0) return [];
    try {
      // After another operation some may have drivers, or guests.
      if (!(await executeInTurn(host, planRevive(still), options))) continue;
    } catch {
      if (options.signal?.aborted) throw interrupted(options.signal);
      // What got a driver is seen below; it is not a fault that the others did not.
    }
    const left = new Set(findIdle(await look(host, options)).map(({ busid }) => busid));
    return still.map(({ busid }) => busid).filter((busid) => !left.has(busid));
  }
}

async function lastingFindings(host: Host, options: DoctorOptions) {
  const { only = () => true, revivable = () => true } = options;
  const first = await look(host, options);
  const found = diagnose(first).filter(only);
  const seen = new Set(found.map(findingKey));
  const idle = findIdle(first).flatMap(({ busid }) => (revivable(busid) ? busid : []));
  const isSlow = options.fix && found.some(({ finding }) => SLOW.has(finding));
  const settleMs = options.settleMs ?? (isSlow ? SLOW_SETTLE_MS : SETTLE_MS);
  const isSettled = seen.size === 0 && (idle.length === 0 || !options.fix);
  if (isSettled || settleMs === 0) return { inventory: first, findings: found, idle };
  if (seen.size > 0) options.onSettle?.(settleMs);
  await settle(host, settleMs, options.signal);
  const inventory = await look(host, options);
  const lasting = diagnose(inventory).filter((finding) => seen.has(findingKey(finding)));
  const still = new Set(findIdle(inventory).map(({ busid }) => busid));
  return { inventory, findings: lasting, idle: idle.filter((busid) => still.has(busid)) };
}

async function settle(host: Host, settleMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await host.clock.sleep(settleMs, signal);
  } catch (error) {
    throw signal?.aborted ? interrupted(signal) : error;
  }
}

function interrupted(signal: AbortSignal): PvusbError {
  return toPvusbError(signal.reason, { doing: 'looking for what is half done', signal });
}

/** Each repair is planned on a fresh look: the one before may have fixed this one too. */
async function mend(host: Host, keys: Set<string>, options: DoctorOptions) {
  const failures: string[] = [];
  const tried = new Set<string>();
  const told = new Set<string>();
  const mended = new Set<Busid>();
  for (let round = 0; round < ROUNDS * keys.size; round++) {
    const inventory = await look(host, options);
    const open = diagnose(inventory).filter(
      (candidate) => !tried.has(findingKey(candidate)) && concerns(inventory, candidate, keys, mended),
    );
    // Saved configurations last: other repairs change what they have to say.
    const finding = open.find((candidate) => candidate.finding !== 'config-differs') ?? open[0];
    if (!finding) break;
    const key = findingKey(finding);
    const plan = planRepair(inventory, finding);
    // One that has to wait for another operation is planned again.
    if (!told.has(key)) options.onRepair?.(finding, plan);
    told.add(key);
    try {
      const isDone = await executeInTurn(host, plan, { ...options, domains: inventory.domains });
      if (!isDone) continue;
    } catch (error) {
      if (options.signal?.aborted) throw interrupted(options.signal);
      if (!(error instanceof ConflictError))
        failures.push(error instanceof Error ? error.message : String(error));
    }
    tried.add(key);
    if ('busid' in finding) mended.add(finding.busid);
  }
  return { failures };
}

/** Findings of the first look, and those that a repair of the same device has brought to light. */
function concerns(
  inventory: Inventory,
  finding: Finding,
  keys: ReadonlySet<string>,
  mended: ReadonlySet<Busid>,
): boolean {
  if (keys.has(findingKey(finding))) return true;
  return 'busid' in finding && mended.has(finding.busid) && placesOf(inventory, finding.busid).length === 0;
}
