import type { Random } from '../../libs/base/random.ts';
import { type ExploredFault, isComponentFault, isEithersFault, isNodeFault, isRequestFault } from './fault-kinds.ts';

/** One thing that goes wrong, once. */
export interface Perturbation {
  readonly fault: ExploredFault;
  /** When it begins, in milliseconds of the cluster's time since the run began. */
  readonly atMs: number;
  /** How long it lasts; for a restart of the API server, how long nobody answers. */
  readonly forMs?: number;
  /** Whom it befalls: a node, a component, or the user whose requests or watches are meant. */
  readonly of?: string;
  /** Which requests. */
  readonly verb?: string;
  readonly resource?: string;
  /** So many of those requests are let through before it happens, and so many it happens to. */
  readonly after?: number;
  readonly times?: number;
  readonly code?: 409 | 429 | 500 | 503 | 504;
  /** How late something is, at most; or by how much a clock is ahead. */
  readonly byMs?: number;
  /** The share of requests that are lost. */
  readonly share?: number;
}

/** All that makes one run differ from an undisturbed one with the same seed. */
export interface Schedule {
  /** Every request, and every event of a watch, takes up to so long, drawn from the seed. */
  readonly latencyMs: number;
  /** Timers of one instant run in a drawn order. */
  readonly shuffle: boolean;
  readonly perturbations: readonly Perturbation[];
}

/** A kind of request that a scenario makes when nothing disturbs it. */
export interface RequestKind {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly count: number;
}

/** What a scenario does when nothing disturbs it: what schedules are drawn over. */
export interface Profile {
  readonly durationMs: number;
  readonly requests: readonly RequestKind[];
  readonly nodes: readonly string[];
  readonly components: readonly string[];
}

export interface DrawOptions {
  readonly weights: ReadonlyMap<ExploredFault, number>;
  /** How many perturbations at most. */
  readonly most: number;
  /** How long the longest lasts. */
  readonly longestMs: number;
}

const LATENCIES_MS = [1, 5, 20, 100];
const CODES = [409, 429, 500, 503, 504] as const;
const SHORTEST_MS = 20;
const SKEW_MS = 600_000;
const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);

/** Draws what goes wrong in one run. For many runs of one profile: `scheduleDrawer`. */
export function drawSchedule(profile: Profile, random: Random, options: DrawOptions): Schedule {
  return scheduleDrawer(profile, options)(random);
}

/** What draws schedules over one profile; what can go wrong at all is found out once. */
export function scheduleDrawer(
  profile: Profile,
  { weights, most, longestMs }: DrawOptions,
): (random: Random) => Schedule {
  const known = new Map<ExploredFault, readonly RequestKind[]>();
  const befallen: Befallen = (fault) => {
    let kinds = known.get(fault);
    if (!kinds) known.set(fault, (kinds = candidates(fault, profile.requests)));
    return kinds;
  };
  const kinds = [...weights].filter(([fault]) => isPossible(fault, profile, befallen));
  return (random) => {
    const perturbations: Perturbation[] = [];
    const count = kinds.length === 0 ? 0 : 1 + random.int(most);
    for (let n = 0; n < count; n++) perturbations.push(draw(pick(kinds, random), profile, befallen, random, longestMs));
    perturbations.sort((a, b) => a.atMs - b.atMs);
    return { latencyMs: of(LATENCIES_MS, random), shuffle: random.next() < 0.5, perturbations };
  };
}

/** The kinds of requests of a profile that a fault can befall. */
type Befallen = (fault: ExploredFault) => readonly RequestKind[];

function isPossible(fault: ExploredFault, { nodes, components }: Profile, befallen: Befallen): boolean {
  if (isNodeFault(fault)) return nodes.length > 0;
  if (isComponentFault(fault)) return components.length > 0;
  if (isEithersFault(fault)) return nodes.length + components.length > 0;
  if (isRequestFault(fault) || fault === 'slow-watch') return befallen(fault).length > 0;
  return true;
}

function draw(
  fault: ExploredFault,
  profile: Profile,
  befallen: Befallen,
  random: Random,
  longestMs: number,
): Perturbation {
  if (isRequestFault(fault)) {
    const kind = of(befallen(fault), random);
    const common = { fault, atMs: 0, of: kind.user, verb: kind.verb, resource: kind.resource };
    // It takes a broken watch for a client to ask where it was.
    if (fault === 'expire') return { ...common, atMs: random.int(Math.ceil(profile.durationMs * 1.2) + 1), times: 1 };
    const times = 1 + (random.next() < 0.3 ? random.int(8) : 0);
    return {
      ...common,
      after: random.int(Math.min(kind.count, 30)),
      times,
      ...(fault === 'refuse' ? { code: of(CODES, random) } : {}),
      ...(fault === 'delay' ? { byMs: spread(random, SHORTEST_MS, 20_000) } : {}),
    };
  }
  const atMs = random.int(Math.ceil(profile.durationMs * 1.2) + 1);
  const forMs = spread(random, SHORTEST_MS, longestMs);
  if (isNodeFault(fault)) return { fault, atMs, forMs, of: of(profile.nodes, random) };
  if (isComponentFault(fault)) return { fault, atMs, forMs, of: of(profile.components, random) };
  if (isEithersFault(fault)) {
    const whom = of([...profile.nodes, ...profile.components], random);
    if (fault === 'slow-link') return { fault, atMs, forMs, of: whom, byMs: spread(random, 5, 5_000) };
    if (fault === 'lossy-link') return { fault, atMs, forMs, of: whom, share: 0.2 + random.int(7) / 10 };
    return { fault, atMs, forMs, of: whom, byMs: (random.next() < 0.5 ? -1 : 1) * spread(random, 1_000, SKEW_MS) };
  }
  if (fault === 'slow-watch') {
    const { user, resource } = of(befallen(fault), random);
    return { fault, atMs, forMs, of: user, resource, byMs: spread(random, 10, 10_000) };
  }
  if (fault === 'watch-break') {
    const watches = befallen('slow-watch');
    // A quarter of them breaks all.
    if (watches.length === 0 || random.int(4) === 0) return { fault, atMs };
    return { fault, atMs, resource: of(watches, random).resource };
  }
  if (fault === 'compact') return { fault, atMs };
  return { fault, atMs, forMs };
}

/** What goes on beside every scenario and seldom changes its course. */
const ASIDE: ReadonlySet<string> = new Set([
  'leases',
  'flowschemas',
  'prioritylevelconfigurations',
  'apiservices',
  'clusterroles',
  'clusterrolebindings',
  'roles',
  'rolebindings',
  'servicecidrs',
  'ipaddresses',
  'priorityclasses',
]);

/** Kinds of requests that a fault can befall. */
function candidates(fault: ExploredFault, requests: readonly RequestKind[]): readonly RequestKind[] {
  const written = new Set(
    requests.filter(({ verb }) => WRITES.has(verb)).map(({ resource }) => resource.split('/')[0]),
  );
  return requests.filter(({ verb, resource }) => {
    // Watches of what does not change have nothing to tell.
    if (ASIDE.has(resource) || (verb === 'watch' && !written.has(resource))) return false;
    if (fault === 'expire' || fault === 'slow-watch') return verb === 'watch';
    if (fault === 'stale') return verb === 'get' || verb === 'list';
    if (fault === 'duplicate' || fault === 'lose-answer') return WRITES.has(verb);
    return true;
  });
}

function pick(kinds: readonly (readonly [ExploredFault, number])[], random: Random): ExploredFault {
  let at = random.next() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [fault, weight] of kinds) if ((at -= weight) < 0) return fault;
  return (kinds.at(-1) as readonly [ExploredFault, number])[0];
}

const of = <T>(all: readonly T[], random: Random): T => all[random.int(all.length)] as T;

/** Between two bounds, each size as likely as any other: 20 ms to 200 ms as often as 2 s to 20 s. */
const spread = (random: Random, least: number, most: number): number =>
  Math.round(Math.exp(Math.log(least) + random.next() * Math.log(Math.max(1, most / least))));

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`;

/** One line for people. */
export function describePerturbation(one: Perturbation): string {
  const lasts = one.forMs === undefined ? '' : ` for ${seconds(one.forMs)}`;
  const requests = `${one.verb} ${one.resource} by ${one.of}`;
  const which =
    (one.after ?? 0) === 0 && one.times === 1
      ? 'the first'
      : one.times === 1
        ? `number ${(one.after ?? 0) + 1}`
        : `numbers ${(one.after ?? 0) + 1} to ${(one.after ?? 0) + (one.times ?? 1)}`;
  switch (one.fault) {
    case 'refuse':
      return `refuse: ${which} of ${requests} answered ${one.code}`;
    case 'lose-request':
      return `lose-request: ${which} of ${requests} never arrives`;
    case 'lose-answer':
      return `lose-answer: ${which} of ${requests} is done, but its answer is lost`;
    case 'delay':
      return `delay: ${which} of ${requests} comes ${seconds(one.byMs ?? 0)} late`;
    case 'duplicate':
      return `duplicate: ${which} of ${requests} is done twice`;
    case 'stale':
      return `stale: ${which} of ${requests} is answered as before`;
    case 'expire':
      return `expire: a ${requests} breaks, and begins anew as its revision is gone`;
    case 'kubelet-crash':
      return `kubelet-crash: the kubelet of ${one.of} is away${lasts}; what runs there runs on`;
    case 'component-crash':
      return `component-crash: ${one.of} is away${lasts}, and begins anew`;
    case 'component-partition':
      return `component-partition: ${one.of} is cut off from the API server${lasts}`;
    case 'slow-link':
      return `slow-link: requests of ${one.of} take ${seconds(one.byMs ?? 0)}${lasts}`;
    case 'lossy-link':
      return `lossy-link: ${Math.round((one.share ?? 0) * 100)} % of the requests of ${one.of} are lost${lasts}`;
    case 'clock-skew':
      return `clock-skew: the clock of ${one.of} is ${seconds(one.byMs ?? 0)} ahead${lasts}`;
    case 'slow-watch':
      return `slow-watch: ${one.of} hears of ${one.resource} up to ${seconds(one.byMs ?? 0)} late${lasts}`;
    case 'watch-break':
      return `watch-break: the watches of ${one.resource ?? 'everything'} break`;
    case 'compact':
      return 'compact: the store forgets its history';
    case 'restart-apiserver':
      return `restart-apiserver: nobody answers${lasts}`;
    default:
      return `${one.fault}${one.of ? `: ${one.of}` : ''}${lasts}`;
  }
}

/** All lines of a schedule. */
export function describeSchedule({ latencyMs, shuffle, perturbations }: Schedule): string[] {
  return [
    ...(latencyMs > 0 ? [`requests and events of watches take up to ${latencyMs} ms`] : []),
    ...(shuffle ? ['timers of one instant run in a drawn order'] : []),
    ...perturbations.map((one) => `${seconds(one.atMs)}  ${describePerturbation(one)}`),
  ];
}
