import type { PodStatus } from '../../../api/types/core/v1.generated.ts';
import { backoffMs } from '../../../libs/base/backoff.ts';
import type { Timer } from '../../../libs/base/clock.ts';
import type { ApiObject, Live } from '../../../libs/kind/object.ts';
import { jsonEqual } from '../../../libs/machinery/json-equal.ts';
import type { RuntimeChange } from '../../cri/changes.ts';
import { StartError } from '../containers/errors.ts';
import { hashContainer } from '../containers/labels.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { isStatic } from '../static-pods/static-pods.ts';
import { VolumeError } from '../volumes/errors.ts';
import { PodApplier } from './apply.ts';
import { ContainerKills } from './kills.ts';
import { containerFieldPath, describePod, findContainer, gracePeriodMs, type NodePod, uidOf } from './objects.ts';
import { PodObserver } from './observer.ts';
import { type PodAction, planPod, terminationOrder } from './plan.ts';
import { PodProbes } from './probes.ts';
import { PodRemoval } from './removal.ts';
import { DEFERRED_MS, PodResizer } from './resizer.ts';
import {
  isAlive,
  NOTHING_OBSERVED,
  type NodeDecision,
  newMemory,
  type ObservedContainer,
  type ObservedPod,
  type PodMemory,
  remember,
} from './state.ts';
import { finalDecision, podStatus } from './status.ts';
import { VolumeRefresh } from './volume-refresh.ts';

export interface PodWorkerOptions {
  readonly env: KubeletEnvironment;
  /** The pod, or what the runtime knows of one that nobody wants any more (`unwanted`). */
  readonly pod: NodePod;
  readonly unwanted?: boolean;
  /** The runtime is known to have nothing of it: the first round need not ask. */
  readonly fresh?: boolean;
  /** The node does not take it: it fails at once. */
  readonly rejected?: NodeDecision;
  /** The other pods of the node, with the resources that they have. */
  readonly others: () => readonly NodePod[];
  /** Where statuses go: the pod itself, or the mirror of a static one; undefined while there is none. */
  readonly apiPod: (pod: NodePod) => NodePod | undefined;
  /** Everything of the pod has ended and been removed, though its object may still be there. */
  readonly terminated: (pod: NodePod) => Promise<void>;
  /** There is nothing left to do, ever. */
  readonly gone: (uid: string) => void;
}

/** Upstream's delays between two pulls of an image that fails. */
const IMAGE_BACKOFF = { firstMs: 10_000, maxMs: 300_000 } as const;
/** How long a failed pull is called by its own reason, before it is called a back-off. */
const PULL_ERROR_SHOWN_MS = 2_000;
const SANDBOX_BACKOFF = { firstMs: 1_000, maxMs: 60_000 } as const;
/** A container that could not be made is tried again after so long: what it lacks may come any time. */
const CONFIG_RETRY_MS = 10_000;
const RUNTIME_RETRY_MS = 1_000;

/**
 * One pod's life on this node. In rounds: observe, remember, plan, show the status, do what the plan says. A round never
 * waits for something long: making the sandbox and starting containers (one after the other) is a job, ending containers
 * are kills, and when one of them is done the next round begins.
 */
export class PodWorker {
  readonly uid: string;
  readonly #options: PodWorkerOptions;
  readonly #env: KubeletEnvironment;
  readonly #observer: PodObserver;
  readonly #applier: PodApplier;
  readonly #probes: PodProbes;
  readonly #resizer: PodResizer;
  readonly #kills: ContainerKills;
  readonly #volumeRefresh: VolumeRefresh;
  readonly #removal: PodRemoval;
  readonly #memory: PodMemory;
  readonly #startMs: number;
  readonly #imageFailures = new Map<string, number>();
  #pod: NodePod;
  /** The object is not in the API any more, or was never there. */
  #unwanted: boolean;
  #observed: ObservedPod = NOTHING_OBSERVED;
  #job: { readonly container: string; readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  #round: Promise<void> | undefined;
  #again = false;
  /** Begins the round that waits for its turn; undefined: none waits. */
  #begin: (() => void) | undefined;
  #timer: Timer | undefined;
  /** `monotonic` at which the timer rings. */
  #timerMs = 0;
  #terminatingSinceMs: number | undefined;
  /** The node ends it, and grants so long. */
  #graceMsMax = Number.POSITIVE_INFINITY;
  #settled = false;
  #removed = false;
  #stopped = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: PodWorkerOptions) {
    const { env, pod } = options;
    this.#options = options;
    this.#env = env;
    this.#pod = pod;
    this.#unwanted = options.unwanted ?? false;
    this.uid = uidOf(pod);
    this.#startMs = env.clock.now();
    this.#memory = newMemory(env.clock.monotonic());
    this.#memory.decision = options.rejected;
    const { cri, host, clock } = env;
    this.#observer = new PodObserver({ cri, host, clock, uid: this.uid, fresh: options.fresh ?? false });
    this.#applier = new PodApplier(env);
    this.#resizer = new PodResizer(env);
    this.#probes = new PodProbes(env, this.#memory, () => this.poke());
    this.#removal = new PodRemoval(env);
    const over = ({ id, sandboxId }: ObservedContainer) => {
      this.#observer.containerChanged(id, sandboxId);
      this.poke();
    };
    this.#kills = new ContainerKills({ env, applier: this.#applier, over });
    this.#volumeRefresh = new VolumeRefresh({
      env,
      pod: () => this.#pod,
      over: () => this.#stopped || this.#isEnding(),
      refresh: () => {
        const [sandbox] = this.#observed.sandboxes;
        return sandbox?.ready && !this.#job ? this.#applier.prepareVolumes(this.#pod, sandbox.ips) : undefined;
      },
    });
  }

  get pod(): NodePod {
    return this.#pod;
  }

  /** The pod with the resources that it has, which may not be those that it wants. */
  get allocated(): NodePod {
    return this.#resizer.allocated(this.#pod);
  }

  get observed(): ObservedPod {
    return this.#observed;
  }

  /** Takes up a newer object; undefined: there is none any more. */
  update(pod: NodePod | undefined): void {
    // Told twice, as when pods are taken over from an earlier kubelet.
    if (pod === this.#pod) return;
    const before = this.#pod.metadata;
    if (pod) this.#pod = pod;
    else this.#unwanted = true;
    // Volumes may show labels and annotations; and a pod that was touched is looked at whole.
    const shown = [pod?.metadata?.labels, pod?.metadata?.annotations];
    if (pod && !jsonEqual([before?.labels, before?.annotations], shown)) this.#volumeRefresh.hurry();
    if (this.#isEnding()) this.#job?.abort.abort(new Error('the pod is being ended'));
    else if (pod) {
      // What this node wrote itself comes back as news, often before the write’s own answer.
      void this.#env.statuses.wrote(pod).then((own) => {
        if (!own || this.#isEnding()) this.poke();
      });
      return;
    }
    if (!this.#waitsForObject) this.poke();
  }

  /** The runtime tells of changes: a round, unless this worker knows of them, or is at it this moment. */
  changed(changes: readonly RuntimeChange[]): void {
    const news = changes.filter((change) => !this.#knows(change));
    if (news.length === 0) return;
    for (const { object, id, podSandboxId } of news)
      if (object === 'container' && podSandboxId !== '') this.#observer.containerChanged(id, podSandboxId);
      // With a sandbox all that is in it may have changed.
      else this.#observer.doubt();
    this.poke();
  }

  #knows({ object, change, id }: RuntimeChange): boolean {
    // What is being made is looked at when it is done, and what is being taken away not at all.
    const isNew = change === 'created' || change === 'started';
    if (isNew ? this.#job !== undefined || this.#observer.asksFor(id) : this.#removal.endsSandboxes) return true;
    if (object === 'sandbox') {
      const known = this.#observed.sandboxes.find((one) => one.id === id);
      return change === 'removed' ? !known : known !== undefined && known.ready === (change !== 'stopped');
    }
    const known = this.#observed.containers.find((one) => one.id === id);
    if (change === 'removed' || change === 'created') return (known === undefined) === (change === 'removed');
    return known?.state === (change === 'started' ? 'running' : 'exited');
  }

  /** It runs, or may come to run. */
  get active(): boolean {
    return this.#memory.decision === undefined && !this.#unwanted && !this.#settled;
  }

  /** All of its containers have ended for good. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Ends the pod because the node has to; it fails for good. The first who says so is heard. */
  evict(message: string, graceMs: number, reason = 'Evicted'): void {
    if (this.#memory.decision || this.#unwanted) return;
    this.#memory.decision = { phase: 'Failed', reason, message, disrupted: true };
    this.#graceMsMax = graceMs;
    this.#job?.abort.abort(new Error('the pod is being ended'));
    this.#tell('Warning', reason, message);
    this.poke();
  }

  /** Begins a round, or one more after the one that is under way. */
  poke(): void {
    if (this.#stopped) return;
    if (this.#round) {
      // One that waits for its turn will see what is told now.
      if (!this.#begin) this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    // What is told at one time is looked at once. Whoever stops does not wait for that.
    this.#round = new Promise<void>((begin) => {
      this.#begin = begin;
      void this.#env.clock.yield().then(begin);
    })
      .then(() => this.#run())
      .finally(() => {
        this.#round = undefined;
        if (!this.#again) return;
        this.#again = false;
        if (!this.#waitsForObject) this.poke();
      });
  }

  /** Lets go: nothing is ended, what runs goes on running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#volumeRefresh.stop();
    this.#probes.stop();
    this.#ended.resolve();
    this.#begin?.();
    const reason = new Error('the kubelet stops');
    this.#job?.abort.abort(reason);
    this.#kills.stop(reason);
    await this.#round;
    await this.#job?.done;
  }

  /** It has ended: wanted as it is, or so that its object may go. Nothing is to be done before its object is to go, or has. */
  get #waitsForObject(): boolean {
    return this.#settled && (this.#isDeleted() ? this.#removed && !this.#unwanted : true);
  }

  #isEnding(): boolean {
    return this.#isDeleted() || this.#memory.decision !== undefined;
  }

  #isDeleted(): boolean {
    return this.#unwanted || this.#pod.metadata?.deletionTimestamp !== undefined;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#env;
    this.#begin = undefined;
    // Stopped while it waited for its turn.
    if (this.#stopped) return;
    try {
      await this.#look();
    } catch (error) {
      if (this.#stopped) return;
      log.warn('a pod could not be looked at', { pod: describePod(this.#pod), error });
      this.#observer.doubt();
      this.#lookAgain(clock.monotonic() + RUNTIME_RETRY_MS);
    }
  }

  async #look(): Promise<void> {
    const { clock, keys } = this.#env;
    const making = this.#job?.container;
    if (!this.#removal.sandboxesEnded) this.#observed = await this.#observer.observe();
    if (this.#stopped) return;
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
    remember(this.#memory, this.#observed, nowMs, monotonicMs);
    const ending = this.#isEnding();
    this.#probes.sync(this.#pod, this.#observed, ending);
    if (ending) return this.#end();

    await this.#resizer.look(this.#pod, this.#observed, this.#options.others);
    const pod = this.#resizer.allocated(this.#env.statuses.latest(this.#pod));
    const plan = planPod({
      pod,
      observed: this.#observed,
      memory: this.#memory,
      nowMs,
      startMs: this.#startMs,
      monotonicMs,
      resizes: this.#resizer.steps,
      hashOf: (container) => hashContainer(keys, container),
    });
    if (plan.finished) {
      this.#memory.decision = plan.finished;
      this.#job?.abort.abort(new Error('the pod is being ended'));
      return this.#end();
    }
    for (const action of plan.actions)
      if (action.type === 'tellBackOff') this.#tellBackOff(action);
      else if (action.type === 'tellImageBackOff') this.#tellImageBackOff(action.name);
    this.#showStatus();
    await this.#applier.openHostPorts(pod, this.#observed.sandboxes[0]);
    // What was being made when it was looked at may be there by now: its job's end brings another round.
    for (const action of plan.actions) if (making === undefined || madeBy(action) !== making) await this.#apply(action);
    if (plan.againAtMs !== undefined) this.#lookAgain(plan.againAtMs);
    if (this.#resizer.deferred || this.#resizer.failed) this.#lookAgain(monotonicMs + DEFERRED_MS);
    this.#volumeRefresh.begin();
  }

  #lookAgain(atMs: number): void {
    const { clock } = this.#env;
    if (this.#timer && this.#timerMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    if (!this.#stopped) this.#timer = clock.setTimer(() => this.poke(), Math.max(0, atMs - clock.monotonic()));
  }

  async #apply(action: PodAction): Promise<void> {
    switch (action.type) {
      case 'createSandbox':
        return this.#work('', (signal) => this.#createSandbox(action.attempt, signal));
      case 'stopSandbox':
        await this.#env.cri.stopPodSandbox({ podSandboxId: action.sandbox.id });
        this.#observer.doubt();
        return this.poke();
      case 'startContainer':
        return this.#work(action.name, (signal) => this.#startContainer(action, signal));
      case 'killContainer': {
        // All begin anew at once: neither hooks nor grace.
        if (action.why === 'restartAll') return this.#kill(action.container, 0, action.message);
        const spec = findContainer(this.#pod, action.container.name)?.container;
        const probe =
          action.why === 'startup' ? spec?.startupProbe : action.why === 'liveness' ? spec?.livenessProbe : undefined;
        const seconds = probe?.terminationGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds ?? 30;
        return this.#kill(action.container, Number(seconds) * 1000, `${action.message}, will be restarted`);
      }
      case 'resizeContainer':
        return this.#work('', async () => {
          await this.#resizer.update(this.#pod, action.step);
          this.#observer.containerChanged(action.step.container.id, action.step.container.sandboxId);
        });
      case 'removeContainer':
        // What is being started is not what it was when the plan was made.
        if (this.#job?.container === action.container.name) return;
        await this.#applier.removeContainer(this.#pod, action.container);
        this.#observer.containerChanged(action.container.id, action.container.sandboxId);
        if (action.reset) this.#reset(action.container, action.reset.source);
        return;
      default:
        return;
    }
  }

  #reset(container: ObservedContainer, source: boolean): void {
    const { resets } = this.#memory;
    // Of several of a name the newest counts.
    if ((resets.get(container.name)?.container.restartCount ?? -1) < container.restartCount)
      resets.set(container.name, { container, source });
    this.poke();
  }

  /** Does one long thing after the other. What finds the place taken is planned again when it is free. */
  #work(container: string, run: (signal: AbortSignal) => Promise<void>): void {
    if (this.#job || this.#stopped) return;
    const abort = new AbortController();
    const done = run(abort.signal).then(
      () => {},
      (error) => {
        this.#observer.doubt();
        if (!abort.signal.aborted) this.#env.log.warn('a pod’s work failed', { pod: describePod(this.#pod), error });
      },
    );
    const job = { container, abort, done };
    this.#job = job;
    void done.then(() => {
      if (this.#job === job) this.#job = undefined;
      this.poke();
    });
  }

  async #createSandbox(attempt: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    try {
      this.#observer.sandboxChanged(await this.#applier.createSandbox(this.allocated, attempt));
      this.#memory.sandboxFailure = undefined;
    } catch (error) {
      this.#observer.doubt();
      if (signal.aborted) return;
      const failures = this.#memory.sandboxFailure?.failures ?? 0;
      const untilMs = clock.monotonic() + backoffMs(SANDBOX_BACKOFF, failures);
      this.#memory.sandboxFailure = { untilMs, failures: failures + 1 };
      const message = (error as Error).message;
      if (error instanceof VolumeError) this.#tell('Warning', 'FailedMount', message);
      else this.#tell('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
      this.#env.log.warn('a pod’s sandbox could not be made', { pod: describePod(this.#pod), error });
    }
  }

  async #startContainer(action: Extract<PodAction, { type: 'startContainer' }>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    const { name, backoff } = action;
    const sandbox = this.#observed.sandboxes[0];
    if (!sandbox?.ready) return;
    let started = '';
    const { failures, starting, backoffs } = this.#memory;
    try {
      await this.#applier.startContainer(this.allocated, sandbox, action, {
        signal,
        observed: this.#observed.containers,
        running: (id) => {
          started = id;
          this.#memory.aliveMs.set(id, clock.monotonic());
          this.#observer.containerChanged(id, sandbox.id);
          failures.delete(name);
          this.#imageFailures.delete(name);
          if (!findContainer(this.#pod, name)?.container.lifecycle?.postStart) return;
          starting.add(id);
          this.poke();
        },
      });
    } catch (error) {
      this.#observer.doubt();
      if (signal.aborted && !(error instanceof StartError)) return;
      const monotonicMs = clock.monotonic();
      const reason = error instanceof StartError ? error.reason : 'CreateContainerError';
      const message = (error as Error).message;
      if (started !== '') {
        // It runs, and its hook failed: it is ended, and what its restart policy says follows.
        const container = (await this.#observer.observe()).containers.find(({ id }) => id === started);
        if (container && isAlive(container)) this.#kill(container, gracePeriodMs(this.#pod), 'FailedPostStartHook');
      } else if (PULL_REASONS.has(reason)) {
        const count = this.#imageFailures.get(name) ?? 0;
        this.#imageFailures.set(name, count + 1);
        const untilMs = monotonicMs + backoffMs(IMAGE_BACKOFF, count);
        failures.set(name, { reason, message, untilMs, backOffFromMs: monotonicMs + PULL_ERROR_SHOWN_MS });
        this.#tell('Warning', 'Failed', `Error: ${reason}`, name);
      } else if (reason === 'RunContainerError') {
        // The runtime has an exited container for it, whose restarts are counted as of any other.
        failures.set(name, { reason, message, untilMs: monotonicMs + PULL_ERROR_SHOWN_MS });
      } else failures.set(name, { reason, message, untilMs: monotonicMs + CONFIG_RETRY_MS });
      if (!(error instanceof StartError)) throw error;
    } finally {
      if (backoff) backoffs.set(name, backoff);
      if (started !== '') starting.delete(started);
    }
  }

  /** Begins to end a container, or hastens an end that has begun. */
  #kill(container: ObservedContainer, graceMs: number, message: string | undefined): void {
    const podIp = this.#observed.sandboxes[0]?.ips[0] ?? '';
    const isFirst = this.#kills.kill(this.#pod, container, { graceMs, podIp });
    if (isFirst && message !== undefined) this.#tell('Normal', 'Killing', message, container.name);
  }

  // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #end(): Promise<void> {
    const { clock, statuses } = this.#env;
    const monotonicMs = clock.monotonic();
    if (this.#terminatingSinceMs === undefined) {
      this.#terminatingSinceMs = monotonicMs;
      this.#volumeRefresh.stop();
    }
    if (this.#job) {
      // A container that is being made this moment is ended as soon as it is there.
      this.#job.abort.abort(new Error('the pod is being ended'));
      this.#showStatus();
      return;
    }
    const groups = terminationOrder(this.#pod, this.#observed);
    if (groups[0] && this.#unwanted && this.#kills.size === 0) {
      // Deleted by force: the sandbox's end is the end of all that is in it.
      for (const { name } of groups.flat()) this.#tell('Normal', 'Killing', `Stopping container ${name}`, name);
    } else if (groups[0]) {
      if (!this.#unwanted) this.#showStatus();
      const totalMs = this.#unwanted ? 0 : Math.min(this.#graceMsMax, gracePeriodMs(this.#pod));
      const leftMs = Math.max(0, this.#terminatingSinceMs + totalMs - monotonicMs);
      for (const container of groups[0]) this.#kill(container, leftMs, `Stopping container ${container.name}`);
      return;
    }
    const deleted = this.#isDeleted();
    if (await this.#removal.endSandboxes(this.#pod, this.#observed, deleted, () => this.#showStatus())) {
      const sandboxes = this.#observed.sandboxes.map((one) => ({ ...one, ready: false }));
      this.#observed = { ...this.#observed, sandboxes };
    }
    if (!this.#settled) {
      await this.#removal.freeResources(this.#pod);
      this.#settled = true;
      if (!this.#unwanted) {
        this.#showStatus();
        // A kubelet that stops does not wait for a server that does not answer, and a pod of a manifest needs none.
        if (!isStatic(this.#pod)) await Promise.race([statuses.flushed(this.uid), this.#ended.promise]);
        if (this.#stopped) return;
      }
    }
    if (!deleted) return;
    if (!this.#removed) {
      await this.#removal.removeTraces(this.#pod);
      this.#removed = true;
      if (!this.#unwanted) await this.#options.terminated(this.#pod);
    }
    if (!this.#unwanted) return;
    statuses.forget(this.uid);
    this.#stopped = true;
    this.#probes.stop();
    this.#options.gone(this.uid);
  }

  // ── What others see ──────────────────────────────────────────────────────────────────────────────────────────────

  #showStatus(): void {
    const { statuses } = this.#env;
    const known = this.#options.apiPod(this.#pod);
    if (known) statuses.set(statuses.latest(known), () => this.#status(this.#options.apiPod(this.#pod) ?? known));
  }

  #status(known: NodePod): PodStatus {
    const { clock, statuses, runtimeName, hostIps } = this.#env;
    const latest = statuses.latest(known);
    // The spec is this node's; the status so far is the API's.
    const pod: NodePod = { ...this.allocated, status: latest.status };
    const { decision } = this.#memory;
    const finished: NodeDecision | undefined =
      decision ?? (this.#settled ? finalDecision(this.#pod, this.#observed, latest) : undefined);
    return podStatus({
      pod,
      observed: this.#observed,
      memory: this.#memory,
      nowMs: clock.now(),
      monotonicMs: clock.monotonic(),
      runtimeName: runtimeName(),
      hostIps: hostIps(),
      startMs: this.#startMs,
      ending: this.#isEnding(),
      passing: this.#resizer.conditions(),
      appliedOf: (container) => this.#resizer.applied(container),
      ...(finished && { finished }),
    });
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string, container = ''): void {
    const fieldPath = containerFieldPath(this.#pod, container);
    this.#env.events.event(this.#pod as Live<ApiObject>, type, reason, message, undefined, fieldPath);
  }

  #tellBackOff({ container, message }: Extract<PodAction, { type: 'tellBackOff' }>): void {
    this.#memory.toldBackOff.add(container.id);
    this.#tell(
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${container.name} in pod ${describePod(this.#pod)}`,
      container.name,
    );
    this.#env.log.debug(message);
  }

  #tellImageBackOff(name: string): void {
    const failure = this.#memory.failures.get(name);
    const image = findContainer(this.#pod, name)?.container.image ?? '';
    if (!failure) return;
    const message = `Back-off pulling image "${image}"`;
    this.#memory.failures.set(name, {
      reason: 'ImagePullBackOff',
      message: `${message}: ${failure.reason}: ${failure.message}`,
      untilMs: failure.untilMs,
      backOffFromMs: 0,
    });
    this.#tell('Normal', 'BackOff', message, name);
    this.#tell('Warning', 'Failed', 'Error: ImagePullBackOff', name);
    this.#lookAgain(failure.untilMs);
  }
}

/** What the action makes, or makes anew, as jobs are named: a container, '' for the sandbox; undefined: nothing. */
function madeBy(action: PodAction): string | undefined {
  switch (action.type) {
    case 'startContainer':
      return action.name;
    case 'removeContainer':
      return action.container.name;
    case 'createSandbox':
    case 'stopSandbox':
    case 'resizeContainer':
      return '';
    default:
      return undefined;
  }
}

const PULL_REASONS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'RegistryUnavailable',
  'SignatureValidationFailed',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
]);
