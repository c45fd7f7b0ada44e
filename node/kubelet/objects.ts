import { configMaps, persistentVolumeClaims, persistentVolumes, runtimeClasses, secrets } from '../../api/resources.ts';
import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret } from '../../api/types/core/v1.generated.ts';
import type { RuntimeClass } from '../../api/types/node/v1.generated.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { ApiObject, DeepReadonly, ResourceRef } from '../../libs/kind/object.ts';
import { isForbidden, isNotFound } from '../../libs/machinery/errors.ts';

interface Cached {
  readonly value: Promise<DeepReadonly<ApiObject> | undefined>;
  readonly atMs: number;
}

/** An answer is good for this long, so that a hundred pods that start with one ConfigMap ask for it once. */
const FRESH_MS = 1_000;
const CACHED_MAX = 1_000;

/**
 * ConfigMaps, Secrets, claims and volumes that pods of this node refer to. A node may read single ones only, by name, so they are asked
 * for when they are needed.
 */
export class ReferencedObjects {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #cached = new Map<string, Cached>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Undefined where there is none, or none for this node. Rejects when the server cannot be asked. */
  configMap(namespace: string, name: string): Promise<DeepReadonly<ConfigMap> | undefined> {
    return this.#get(configMaps, namespace, name);
  }

  secret(namespace: string, name: string): Promise<DeepReadonly<Secret> | undefined> {
    return this.#get(secrets, namespace, name);
  }

  claim(namespace: string, name: string): Promise<DeepReadonly<PersistentVolumeClaim> | undefined> {
    return this.#get(persistentVolumeClaims, namespace, name);
  }

  volume(name: string): Promise<DeepReadonly<PersistentVolume> | undefined> {
    return this.#get(persistentVolumes, '', name);
  }

  runtimeClass(name: string): Promise<DeepReadonly<RuntimeClass> | undefined> {
    return this.#get(runtimeClasses, '', name);
  }

  async #get<T extends ApiObject>(
    ref: ResourceRef<T>,
    namespace: string,
    name: string,
  ): Promise<DeepReadonly<T> | undefined> {
    const key = `${ref.resource}/${namespace}/${name}`;
    const nowMs = this.#clock.monotonic();
    let cached = this.#cached.get(key);
    if (!cached || nowMs - cached.atMs > FRESH_MS) {
      cached = { value: this.#ask(ref, namespace, name), atMs: nowMs };
      this.#cached.delete(key);
      this.#cached.set(key, cached);
      for (const old of this.#cached.keys()) {
        if (this.#cached.size <= CACHED_MAX) break;
        this.#cached.delete(old);
      }
      // A failure is no answer, and neither is an absence that may have ended.
      const forget = () => this.#cached.delete(key);
      cached.value.then((found) => found ?? forget(), forget);
    }
    return cached.value as Promise<DeepReadonly<T> | undefined>;
  }

  async #ask<T extends ApiObject>(ref: ResourceRef<T>, namespace: string, name: string) {
    try {
      const resource = this.#client.resource(ref);
      return await (namespace === '' ? resource : resource.namespace(namespace)).get(name);
    } catch (error) {
      if (isNotFound(error) || isForbidden(error)) return undefined;
      throw error;
    }
  }
}
