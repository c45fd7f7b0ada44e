import type { Clock } from '../../libs/base/clock.ts';
import type { Random } from '../../libs/base/random.ts';
import { ClusterUsageError } from '../errors.ts';

/** What befalls requests. */
export type FaultKind =
  /** Answered with an error (`code`, default 503), and not done. */
  | 'refuse'
  /** Never arrives: the client sees a broken connection, and nothing was done. */
  | 'lose-request'
  /** Done, but the answer never comes: the client cannot know. */
  | 'lose-answer'
  /** Done after `delayMs` (default 1,000). */
  | 'delay'
  /** Done twice; the client sees the first answer. */
  | 'duplicate'
  /** A read is answered with what the same read answered before, where it did. */
  | 'stale'
  /** A watch that wants to go on from a revision is told that it is gone (410). */
  | 'expire';

const KINDS: readonly FaultKind[] = ['refuse', 'lose-request', 'lose-answer', 'delay', 'duplicate', 'stale', 'expire'];

/** Which requests, how often, and what befalls them. What is left out fits all. */
export interface ApiFault {
  readonly fault: FaultKind;
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`. */
  readonly verbs?: readonly string[];
  /** `pods`, `deployments`; with a subresource `pods/status`, and `pods/*` for the resource with all of them. */
  readonly resources?: readonly string[];
  /** Names of users; with `*` at the end all that begin so: `system:node:*`. */
  readonly users?: readonly string[];
  readonly namespaces?: readonly string[];
  /** The share of those requests, 0 to 1. Default 1. */
  readonly share?: number;
  /** How many of those requests are let through before. Default 0. */
  readonly after?: number;
  /** How often at most. Default: until it is taken away. */
  readonly times?: number;
  readonly code?: 401 | 403 | 404 | 409 | 429 | 500 | 503 | 504;
  /** Of the cluster's time; of the machine's for clients of the real endpoint. */
  readonly delayMs?: number;
}

const PARTS: Readonly<Record<keyof ApiFault, 'word' | 'words' | 'number'>> = {
  fault: 'word',
  verbs: 'words',
  resources: 'words',
  users: 'words',
  namespaces: 'words',
  share: 'number',
  after: 'number',
  times: 'number',
  code: 'number',
  delayMs: 'number',
};
const VERBS: readonly string[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];

/** Throws `ClusterUsageError`: what is misspelt would otherwise fit every request. */
function mustBeFault(fault: ApiFault): void {
  const wrong = (message: string) => new ClusterUsageError(message);
  if (!KINDS.includes(fault.fault)) throw wrong(`there is no fault "${fault.fault}"; there are ${KINDS.join(', ')}`);
  for (const [name, value] of Object.entries(fault)) {
    const form = Object.hasOwn(PARTS, name) ? PARTS[name as keyof ApiFault] : undefined;
    if (!form) throw wrong(`a fault has no "${name}"; it has ${Object.keys(PARTS).join(', ')}`);
    if (value === undefined || form === 'word') continue;
    const isRight =
      form === 'number' ? typeof value === 'number' && value >= 0 : Array.isArray(value) && value.every(isText);
    if (!isRight) {
      const wanted = form === 'number' ? 'a number from 0 on' : 'a list, as ["pods"]';
      throw wrong(`${name} of a fault is ${wanted}, not ${JSON.stringify(value)}`);
    }
  }
  if (fault.share !== undefined && !(fault.share <= 1))
    throw wrong(`the share of a fault is between 0 and 1, not ${fault.share}`);
  const verb = fault.verbs?.find((one) => !VERBS.includes(one));
  if (verb !== undefined) throw wrong(`there is no verb "${verb}"; there are ${VERBS.join(', ')}`);
}

const isText = (value: unknown): boolean => typeof value === 'string';

/** A fault that is in force. Disposing it takes it away. */
export interface ActiveFault extends Disposable {
  readonly fault: ApiFault;
  /** How often it has happened. */
  readonly count: number;
}

/** What a request is, as faults are chosen by. */
export interface RequestFacts {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
}

class Active implements ActiveFault {
  readonly fault: ApiFault;
  readonly #end: (fault: Active) => void;
  /** How many requests it fitted. */
  seen = 0;
  count = 0;

  constructor(fault: ApiFault, end: (fault: Active) => void) {
    this.fault = fault;
    this.#end = end;
  }

  [Symbol.dispose](): void {
    this.#end(this);
  }
}

/** What kinds of faults have happened how often, beyond those of requests. */
export type FaultCounts = Readonly<Record<string, number>>;

/** The faults between the clients of a simulated cluster and its API server: which are in force, and how often each was. */
export class ApiFaults {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #active: Active[] = [];
  readonly #counts: Record<string, number> = {};

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.#random = random;
  }

  /** Puts a fault in force. Throws `ClusterUsageError` for what is none. */
  add(fault: ApiFault): ActiveFault {
    mustBeFault(fault);
    const active = new Active(fault, (one) => {
      const at = this.#active.indexOf(one);
      if (at >= 0) this.#active.splice(at, 1);
    });
    this.#active.push(active);
    return active;
  }

  /** Takes all faults of requests away. */
  clear(): void {
    this.#active.length = 0;
  }

  get any(): boolean {
    return this.#active.length > 0;
  }

  /** Whether a fault that is in force may yet befall a user's requests. */
  mayBefall(user: string): boolean {
    for (let at = 0; at < this.#active.length; at++) {
      const active = this.#active[at] as Active;
      if (!isSpent(active) && isOf(active.fault, user)) return true;
    }
    return false;
  }

  /** How often each kind of fault has happened in this cluster, whatever made it. */
  get counts(): FaultCounts {
    return { ...this.#counts };
  }

  count(kind: string): void {
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
  }

  /**
   * Which faults befall a request, drawn once for it, in the order in which they were put in force. The caller says by
   * `happened` that one did.
   */
  draw(facts: RequestFacts): readonly ApiFault[] {
    const drawn: ApiFault[] = [];
    for (const active of this.#active) {
      const { fault } = active;
      if (isSpent(active)) continue;
      if (!fits(fault, facts) || !suits(fault.fault, facts.verb)) continue;
      if (active.seen++ < (fault.after ?? 0)) continue;
      if (fault.share !== undefined && this.#random.next() >= fault.share) continue;
      active.count++;
      this.count(fault.fault);
      drawn.push(fault);
    }
    return drawn;
  }
}

const isSpent = ({ fault: { times }, count }: Active): boolean => times !== undefined && count >= times;

const isOf = ({ users }: ApiFault, user: string): boolean =>
  !users || users.some((one) => (one.endsWith('*') ? user.startsWith(one.slice(0, -1)) : user === one));

const READS: ReadonlySet<string> = new Set(['get', 'list']);

function suits(kind: FaultKind, verb: string): boolean {
  if (kind === 'expire') return verb === 'watch';
  if (kind === 'stale') return READS.has(verb);
  if (kind === 'duplicate' || kind === 'lose-answer') return verb !== 'watch';
  return true;
}

function fits(fault: ApiFault, { user, verb, resource, namespace }: RequestFacts): boolean {
  const { verbs, resources, namespaces } = fault;
  if (verbs && !verbs.includes(verb)) return false;
  if (namespaces && !namespaces.includes(namespace)) return false;
  if (resources && !resources.some((one) => one === resource || (one.endsWith('/*') && under(one, resource))))
    return false;
  return isOf(fault, user);
}

const under = (pattern: string, resource: string): boolean =>
  resource === pattern.slice(0, -2) || resource.startsWith(pattern.slice(0, -1));
