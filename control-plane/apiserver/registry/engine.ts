import type { Clock } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Random } from '../../../libs/base/random.ts';
import type {
  AdmissionBody,
  AdmissionEffect,
  AdmissionOperation,
  AdmissionPlugin,
  AdmissionRequest,
  Reinvocation,
} from '../../../libs/kind/admission.ts';
import type { Allocator } from '../../../libs/kind/allocator.ts';
import type { ConnectTarget } from '../../../libs/kind/kind.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestAttributes, RequestContext } from '../../../libs/kind/request.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import type { Store } from '../../store/store.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { Caches } from '../cache/caches.ts';
import type { KindSet, ServedResource } from './kind-set.ts';

/** What the generic engine works with. One object, made by `ApiServer`, handed to every step. */
export interface Engine {
  readonly store: Store;
  readonly caches: Caches;
  readonly kinds: KindSet;
  /** The built-in schema: Status, DeleteOptions, reviews. */
  readonly schema: SchemaSet;
  /** The admission plugins that may change what is written, in their order. */
  readonly mutating: readonly AdmissionPlugin[];
  /** Those that may refuse it, in their order. */
  readonly validating: readonly AdmissionPlugin[];
  readonly registry: Registry;
  /** Who gives out addresses and ports. */
  readonly allocators: readonly Allocator[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Counts what admission takes. */
  readonly observed?: AdmissionObserver | undefined;
  /** Asks whether the user may do something more than was asked for at first (a PATCH that creates). Throws 403. */
  authorize?(ctx: RequestContext, attributes: RequestAttributes): Promise<void>;
  /** How to reach kubelets, pods and services; without it exec, logs and proxies are answered with 503. */
  readonly connector?: Connector;
}

export interface AdmissionObserver {
  /** A plugin has been asked; `name` undefined: all of them have. */
  admission(
    name: string | undefined,
    type: 'admit' | 'validate',
    operation: string,
    ms: number,
    rejected: boolean,
  ): void;
}

/** Carries a request on to where a connect subresource points. */
export interface Connector {
  connect(ctx: RequestContext, request: ApiRequest, target: ConnectTarget): Promise<ApiResponse>;
}

/** Which object of which resource a request is about. `namespace` is empty for cluster-scoped kinds. */
export interface Target {
  readonly resource: ServedResource;
  readonly namespace: string;
  readonly name: string;
  /** The version that was asked for, where `resource` is the stored one to which a webhook has converted. */
  readonly asked?: ServedResource;
}

/**
 * Asks the plugins that may change the draft, in their order; where one of them wants it, all of them a second time. The
 * draft as it has become is `request.object`. A promise only where a plugin has to wait.
 */
export function runAdmit(engine: Engine, ctx: RequestContext, request: AdmissionRequest): Promise<void> | undefined {
  const first = new Round(undefined);
  const again = () => (first.wanted ? admitOnce(engine, ctx, request, new Round(first)) : undefined);
  const pending = admitOnce(engine, ctx, request, first);
  return pending ? pending.then(again) : again();
}

/** One of the two rounds. Notes are made when somebody has one: few requests meet a plugin that does. */
class Round implements Reinvocation {
  wanted = false;
  readonly #first: Round | undefined;
  #notes: Map<string, unknown> | undefined;

  constructor(first: Round | undefined) {
    this.#first = first;
  }

  get isSecond(): boolean {
    return this.#first !== undefined;
  }

  get notes(): Map<string, unknown> {
    if (this.#first) return this.#first.notes;
    this.#notes ??= new Map();
    return this.#notes;
  }
}

function admitOnce(
  engine: Engine,
  ctx: RequestContext,
  request: AdmissionRequest,
  again: Reinvocation,
): Promise<void> | undefined {
  const asked = { ...request, again };
  const done = () => {
    request.object = asked.object;
  };
  const timing = new Timing(engine, 'admit', request.operation);
  const pending = askFrom(0, engine.mutating, timing, (plugin) =>
    plugin.handles(asked) ? plugin.admit?.(ctx, asked, engine.registry) : false,
  );
  if (pending) return pending.then(done);
  done();
  return undefined;
}

/**
 * Asks one plugin after the other; `ask` says false where the request is none of the plugin's business. Waits for those
 * that have to wait themselves: most know at once, and every write comes by here.
 */
function askFrom(
  first: number,
  plugins: readonly AdmissionPlugin[],
  timing: Timing,
  ask: (plugin: AdmissionPlugin) => Promise<void> | false | void,
): Promise<void> | undefined {
  try {
    for (let i = first; i < plugins.length; i++) {
      const plugin = plugins[i] as AdmissionPlugin;
      timing.begin(plugin.name);
      const pending = ask(plugin);
      if (pending === false) continue;
      if (pending) return waitFor(pending, i + 1, plugins, timing, ask);
      timing.passed();
    }
    timing.end();
    return undefined;
  } catch (error) {
    timing.refused();
    throw error;
  }
}

async function waitFor(
  pending: Promise<void>,
  next: number,
  plugins: readonly AdmissionPlugin[],
  timing: Timing,
  ask: (plugin: AdmissionPlugin) => Promise<void> | false | void,
): Promise<void> {
  try {
    await pending;
  } catch (error) {
    timing.refused();
    throw error;
  }
  timing.passed();
  return askFrom(next, plugins, timing, ask);
}

/**
 * Tells how long the plugins of a step of admission took, one by one and together, and whether they refused. What lies
 * between two plugins counts with the second: the clock is asked once for each.
 */
class Timing {
  readonly #engine: Engine;
  readonly #type: 'admit' | 'validate';
  readonly #operation: AdmissionOperation;
  readonly #beganMs: number;
  #plugin = '';
  #sinceMs: number;

  constructor(engine: Engine, type: 'admit' | 'validate', operation: AdmissionOperation) {
    this.#engine = engine;
    this.#type = type;
    this.#operation = operation;
    this.#beganMs = this.#sinceMs = engine.observed ? engine.clock.monotonic() : 0;
  }

  /** This plugin is asked, unless the request is none of its business. */
  begin(plugin: string): void {
    this.#plugin = plugin;
  }

  /** The plugin that was asked has let it pass. */
  passed(): void {
    this.#tellPlugin(false);
  }

  /** The plugin that was asked has not, and so the step is over. */
  refused(): void {
    this.#tellPlugin(true);
    this.#tell(true);
  }

  /** All have let it pass. */
  end(): void {
    this.#tell(false);
  }

  #tell(refused: boolean): void {
    const took = this.#sinceMs - this.#beganMs;
    this.#engine.observed?.admission(undefined, this.#type, this.#operation, took, refused);
  }

  #tellPlugin(refused: boolean): void {
    const { observed, clock } = this.#engine;
    if (!observed) return;
    const nowMs = clock.monotonic();
    observed.admission(this.#plugin, this.#type, this.#operation, nowMs - this.#sinceMs, refused);
    this.#sinceMs = nowMs;
  }
}

/**
 * Runs the plugins that may refuse. What they reserved is given back by `rollback`, which the caller calls when the write
 * does not happen after all; when a plugin refuses, what those before it reserved is given back here.
 */
export function runValidate(
  engine: Engine,
  ctx: RequestContext,
  request: AdmissionRequest,
): Promise<AdmissionEffect> | AdmissionEffect {
  const effects = new Effects();
  const asked = request as AdmissionRequest & { object: DeepReadonly<ApiObject> };
  const timing = new Timing(engine, 'validate', request.operation);
  let pending: Promise<void> | undefined;
  try {
    pending = askFrom(0, engine.validating, timing, (plugin) => {
      if (!plugin.handles(request)) return false;
      const effect = plugin.validate?.(ctx, asked, engine.registry);
      return effect instanceof Promise ? effect.then((known) => effects.add(known)) : effects.add(effect);
    });
  } catch (error) {
    return effects.refuse(error);
  }
  if (!pending) return effects;
  return pending.then(
    () => effects,
    (error) => effects.refuse(error),
  );
}

/** What plugins reserved for one write. */
class Effects implements AdmissionEffect {
  readonly #all: AdmissionEffect[] = [];

  add(effect: AdmissionEffect | void): void {
    if (effect) this.#all.push(effect);
  }

  async rollback(): Promise<void> {
    for (const effect of this.#all.reverse()) await effect.rollback();
    this.#all.length = 0;
  }

  async refuse(error: unknown): Promise<never> {
    await this.rollback();
    throw error;
  }
}

export function admissionRequest(
  operation: AdmissionOperation,
  target: Target,
  subresource: string,
  object: ApiObject | undefined,
  oldObject: DeepReadonly<ApiObject> | undefined,
  options: ApiObject | undefined,
  body?: AdmissionBody,
): AdmissionRequest {
  const { kind } = target.resource;
  const { group, version } = target.asked ?? target.resource;
  return {
    operation,
    kind,
    gvk: { group, version, kind: kind.kind },
    subresource,
    namespace: target.namespace,
    name: target.name,
    object,
    oldObject,
    options,
    ...(body ? { body } : {}),
  };
}

/** The object in the storage version; the argument may be reused. */
export function toStorage(resource: ServedResource, object: ApiObject): ApiObject {
  return resource.served.toStorage ? resource.served.toStorage(object) : object;
}

/** The object as the resource's version shows it. */
export function fromStorage(resource: ServedResource, object: DeepReadonly<ApiObject>): DeepReadonly<ApiObject> {
  return resource.served.fromStorage ? (resource.served.fromStorage(object) as DeepReadonly<ApiObject>) : object;
}

/** The resource in the version that it is stored in, for writes that a webhook has converted. */
export function storedResource(engine: Engine, resource: ServedResource): ServedResource {
  const { kind, group } = resource;
  const { storageVersion } = kind;
  const found = engine.kinds.find(group, storageVersion.version, kind.resource);
  if (found) return found;
  const { version } = storageVersion;
  return { ...resource, served: storageVersion, version, apiVersion: apiVersionOf({ group, version }) };
}

/**
 * The handle with its object in the storage version: one that was stored in another is converted by the webhook. Throws
 * `ApiError` 500.
 */
export async function inStorageVersion(
  engine: Engine,
  ctx: RequestContext,
  resource: ServedResource,
  old: CachedObject,
): Promise<CachedObject> {
  const stored = storedResource(engine, resource);
  if (old.isIn(stored.apiVersion)) return old;
  const object = old.object();
  await stored.served.prepare?.fromStorage([object], ctx.ends.signal);
  return old.holding(deepFreeze(fromStorage(stored, object)) as DeepReadonly<ApiObject>);
}
