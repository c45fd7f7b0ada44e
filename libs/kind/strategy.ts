import type { ErrorList } from '../machinery/field-errors.ts';
import type { ApiObject, DeepReadonly } from './object.ts';
import type { RequestContext } from './request.ts';

/**
 * What one kind does on its way into the store: the rules that the generic engine cannot know. Everything is optional;
 * a kind without a strategy is stored as it was sent, checked against its schema.
 *
 * The engine calls them in this order (`control-plane/apiserver/registry`), always with objects of the **storage
 * version**, decoded, in canonical form, and the caller's own copy:
 *
 *     create   decode → schema defaults → defaults → mutating admission → prepareForCreate → generated metadata
 *              → validate, warnings → validating admission → managed fields → store
 *     update   decode (or patch the old object) → schema defaults → defaults → mutating admission → prepareForUpdate
 *              → validateUpdate, warnings → validating admission → managed fields → store, unless nothing changed
 *     delete   checkDelete → grace, finalizers, propagation → validating admission → store
 *
 * On update what the metadata holds may be the stored object's own, frozen parts (of a write to the status: what that holds,
 * and all that it cannot change, too). Drafts get other labels, conditions, owners in their place; those are not changed.
 *
 * Functions are pure but for the draft that they are handed: no I/O, no time but `ctx`'s. What needs other objects
 * (quota, allocation of addresses) is admission or an `Allocator`, not a strategy.
 */
export interface Strategy<T extends ApiObject = ApiObject> {
  /** Fills what the user left out and a plain schema default cannot say. Idempotent. */
  defaults?(draft: T): void;

  /** Removes what users may not set (status), sets what the server sets. `metadata.generation` is the engine's. */
  prepareForCreate?(ctx: RequestContext, draft: T): void;
  /** Takes over from `old` what an update may not change. */
  prepareForUpdate?(ctx: RequestContext, draft: T, old: DeepReadonly<T>): void;

  /** Errors of a new object, in upstream's words and paths; the engine checks the metadata itself. */
  validate?(draft: DeepReadonly<T>, ctx: RequestContext): ErrorList;
  /** Errors of a change. Not called on create; must itself call `validate`'s parts that also hold on update. */
  validateUpdate?(draft: DeepReadonly<T>, old: DeepReadonly<T>, ctx: RequestContext): ErrorList;
  /** Texts for `Warning` headers, on create and update. */
  warnings?(draft: DeepReadonly<T>, old: DeepReadonly<T> | undefined, ctx: RequestContext): readonly string[];

  /** Which names are allowed; default DNS-1123 subdomain. Returns upstream's messages, none when the name is fine. */
  validateName?(name: string, prefix: boolean): readonly string[];

  /**
   * `count`: 1 on create, +1 whenever the draft differs from the old object outside metadata and status.
   * `count-updates`: like `keep` on create, like `count` on updates.
   * `keep` (default): what the client sends on create stays, updates never change it.
   */
  readonly generation?: 'count' | 'count-updates' | 'keep';
  /** Decides for `count` whether a change counts, where the general rule does not fit (EndpointSlice: labels too). */
  generationChanged?(draft: DeepReadonly<T>, old: DeepReadonly<T>): boolean;

  /** Finalizers may be plain words, as those of custom resources may. Default: only the standard ones may. */
  readonly plainFinalizers?: boolean;

  /** PUT to a name that does not exist creates it. Default false: 404. */
  readonly allowCreateOnUpdate?: boolean;
  /** PUT without resourceVersion is accepted. Default true. */
  readonly allowUnconditionalUpdate?: boolean;

  /** Fields that the main resource (or `status`) never lets its writers own or change: `['status']`. */
  readonly resetFields?: readonly string[];

  /** Neither `defaults` nor `prepareForUpdate` change a `spec.template` that is frozen, as one is that an update leaves as stored. */
  readonly keepsTemplate?: boolean;

  /** Deletion with grace: how long, and what the object looks like meanwhile. Without it an object goes at once. */
  readonly gracefulDelete?: GracefulDelete<T>;
  /** What DELETE does with dependents when it does not say: Jobs and ReplicationControllers orphan theirs. Default background. */
  readonly defaultDeletePropagation?: 'orphan' | 'background';
  /** What is said where dependents are orphaned because nobody said otherwise. */
  readonly orphanWarning?: string;
  /** Something beyond `metadata.finalizers` holds a dying object (`spec.finalizers` of Namespaces). */
  heldBy?(object: DeepReadonly<T>): boolean;
  /** Refuses a deletion by throwing an `ApiError`. */
  checkDelete?(ctx: RequestContext, object: DeepReadonly<T>): void;
  /** The answer to DELETE is the object (pods, services …) instead of a Status. */
  readonly deleteReturnsObject?: boolean;

  /** What is shown to readers but never stored (decorations), applied to the answer's copy. */
  decorate?(object: T): void;
}

export interface GracefulDelete<T extends ApiObject> {
  /**
   * Answers how many seconds the object stays, 0 for at once, or `unbounded` when only its finalizers decide (then no
   * grace period is written). `requested` is what the client asked for, if it did. May change the draft (phase,
   * conditions) by putting new parts in place of what is there: the old ones are the stored object's own. Called again when
   * a dying object is deleted once more, and may then only shorten its grace.
   */
  begin(ctx: RequestContext, draft: T, requested: number | undefined): number | 'unbounded';
  /** Being marked for deletion does not count in `metadata.generation` (CustomResourceDefinitions). Default: it does. */
  readonly keepsGeneration?: boolean;
}
