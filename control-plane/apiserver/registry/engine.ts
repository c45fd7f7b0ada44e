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
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import type { Store } from '../../store/store.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import type { Caches } from '../cache/caches.ts';
import type { KindSet, ServedResource } from './kind-set.ts';

/** What the generic engine works with. One object, made by `ApiServer`, handed to every step. */
export interface Engine {
  readonly store: Store;
  readonly caches: Caches;
  readonly kinds: KindSet;
  /** The built-in schema: Status, DeleteOptions, reviews. */
  readonly schema: SchemaSet;
  readonly admission: readonly AdmissionPlugin[];
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
}

/**
 * Asks the plugins that may change the draft, in their order; where one of them wants it, all of them a second time. The
 * draft as it has become is `request.object`.
 */
export async function runAdmit(engine: Engine, ctx: RequestContext, request: AdmissionRequest): Promise<void> {
  const notes = new Map<string, unknown>();
  let again = { isSecond: false, wanted: false, notes };
  await admitOnce(engine, ctx, request, again);
  if (!again.wanted) return;
  again = { isSecond: true, wanted: false, notes };
  await admitOnce(engine, ctx, request, again);
}

async function admitOnce(
  engine: Engine,
  ctx: RequestContext,
  request: AdmissionRequest,
  again: Reinvocation,
): Promise<void> {
  const asked = { ...request, again };
  const all = new Timing(engine, 'admit', request.operation);
  try {
    // By index: an iterator costs a piece of memory for each plugin, and every write comes by here.
    for (let i = 0; i < engine.admission.length; i++) {
      const plugin = engine.admission[i] as AdmissionPlugin;
      if (!plugin.admit || !plugin.handles(asked)) continue;
      all.begin(plugin.name);
      const pending = plugin.admit(ctx, asked, engine.registry);
      if (pending) await pending;
      all.passed();
    }
    all.passed();
  } finally {
    all.end();
  }
  request.object = asked.object;
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
  #plugin: string | undefined;
  #sinceMs: number;
  #refused = true;

  constructor(engine: Engine, type: 'admit' | 'validate', operation: AdmissionOperation) {
    this.#engine = engine;
    this.#type = type;
    this.#operation = operation;
    this.#beganMs = this.#sinceMs = engine.observed ? engine.clock.monotonic() : 0;
  }

  begin(plugin: string): void {
    this.#plugin = plugin;
    this.#refused = true;
  }

  /** The plugin has let it pass; without one: all have. */
  passed(): void {
    this.#refused = false;
    if (this.#plugin !== undefined) this.#tellPlugin();
  }

  end(): void {
    const { observed } = this.#engine;
    if (!observed) return;
    if (this.#plugin !== undefined) this.#tellPlugin();
    observed.admission(undefined, this.#type, this.#operation, this.#sinceMs - this.#beganMs, this.#refused);
  }

  #tellPlugin(): void {
    const { observed, clock } = this.#engine;
    if (!observed) return;
    const nowMs = clock.monotonic();
    observed.admission(this.#plugin, this.#type, this.#operation, nowMs - this.#sinceMs, this.#refused);
    this.#sinceMs = nowMs;
    this.#plugin = undefined;
  }
}

/**
 * Runs the plugins that may refuse. What they reserved is given back by `rollback`, which the caller calls when the write
 * does not happen after all; when a plugin refuses, what those before it reserved is given back here.
 */
export async function runValidate(
  engine: Engine,
  ctx: RequestContext,
  request: AdmissionRequest,
): Promise<AdmissionEffect> {
  const effects: AdmissionEffect[] = [];
  const rollback = async () => {
    for (const effect of effects.reverse()) await effect.rollback();
    effects.length = 0;
  };
  const asked = request as AdmissionRequest & { object: DeepReadonly<ApiObject> };
  const all = new Timing(engine, 'validate', request.operation);
  try {
    for (let i = 0; i < engine.admission.length; i++) {
      const plugin = engine.admission[i] as AdmissionPlugin;
      if (!plugin.validate || !plugin.handles(request)) continue;
      all.begin(plugin.name);
      const answer = plugin.validate(ctx, asked, engine.registry);
      const effect = answer instanceof Promise ? await answer : answer;
      if (effect) effects.push(effect);
      all.passed();
    }
    all.passed();
  } catch (error) {
    await rollback();
    throw error;
  } finally {
    all.end();
  }
  return { rollback };
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
  const { kind, group, version } = target.resource;
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
