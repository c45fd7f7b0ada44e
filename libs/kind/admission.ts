import type { Kind } from './kind.ts';
import type { ApiObject, DeepReadonly, GroupVersionKind } from './object.ts';
import type { Registry } from './registry.ts';
import type { RequestContext } from './request.ts';

/**
 * A step between authorization and the store that may change (`admit`) or refuse (`validate`) a request by what it is
 * and by what else there is. Plugins run in a fixed order: all `admit`s, then the strategy, then all `validate`s.
 * A plugin refuses by throwing an `ApiError` (403 unless it says otherwise).
 */
export interface AdmissionPlugin {
  /** Upstream's name: `LimitRanger`. */
  readonly name: string;
  /** Cheap and pure: whether the plugin wants to see this request at all. */
  handles(request: AdmissionRequest): boolean;
  /** May change `request.object` in place. */
  admit?(ctx: RequestContext, request: AdmissionRequest, registry: Registry): Promise<void> | void;
  validate?(
    ctx: RequestContext,
    request: DeepReadonlyAdmission,
    registry: Registry,
  ): Promise<AdmissionEffect | void> | AdmissionEffect | void;
}

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionRequest {
  readonly operation: AdmissionOperation;
  readonly kind: Kind;
  readonly gvk: GroupVersionKind;
  /** `''` or the subresource's name. */
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** The draft, in the storage version; the options of the stream on CONNECT; undefined on DELETE. */
  object: ApiObject | undefined;
  readonly oldObject: DeepReadonly<ApiObject> | undefined;
  /** CreateOptions, UpdateOptions, DeleteOptions as sent; undefined on CONNECT. */
  readonly options: DeepReadonly<ApiObject> | undefined;
  /** Where the body is not of the resource's own kind (Scale, Eviction, PodExecOptions): how it looks. */
  readonly body?: AdmissionBody;
  /** Whether plugins that others have changed things behind shall run a second time. Kept by `runAdmit`. */
  readonly again?: Reinvocation;
}

/** The body of a subresource. */
export interface AdmissionBody {
  readonly gvk: GroupVersionKind;
  /** Its type in the schema. */
  readonly type: string;
  /** What stands for the object in reviews; default the object itself. For scale: the view upon it. */
  readonly show?: (object: DeepReadonly<ApiObject>) => ApiObject;
  /** Carries a changed view back. */
  readonly write?: (object: ApiObject, view: DeepReadonly<ApiObject>) => void;
}

/** The second round of mutating admission (`reinvocationPolicy: IfNeeded`). */
export interface Reinvocation {
  /** False in the first round. */
  readonly isSecond: boolean;
  /** Set by who changed the object so that others must look again. */
  wanted: boolean;
  /** What a plugin remembers from the first round, by its name. */
  readonly notes: Map<string, unknown>;
}

export type DeepReadonlyAdmission = Omit<AdmissionRequest, 'object'> & {
  readonly object: DeepReadonly<ApiObject> | undefined;
};

/** What a plugin reserved (quota, an address) and must give back when the write does not happen. */
export interface AdmissionEffect {
  rollback(): Promise<void> | void;
}
