/**
 * Every built-in resource by group, version and name, for clients that are read like the API itself:
 *
 *     const client = typedClient(plain);
 *     await client.core.v1.pods('default').list({ labelSelector: 'app=web' });
 *     await client.apps.v1.deployments('default').get('web');
 *     await client.resource<Backup>({ group: 'example.com', version: 'v1', plural: 'backups', kind: 'Backup' }).list();
 *
 * Names and types alone: no kind's rules are loaded.
 */
import type { Client, ResourceClient } from '../libs/kind/client.ts';
import type { ApiObject, Live, ResourceRef } from '../libs/kind/object.ts';
import type { Cause } from '../libs/kind/request.ts';
import * as resources from './resources.ts';

const GROUPS = {
  admissionregistration: {
    v1: {
      mutatingAdmissionPolicies: resources.mutatingAdmissionPolicies,
      mutatingAdmissionPolicyBindings: resources.mutatingAdmissionPolicyBindings,
      mutatingWebhookConfigurations: resources.mutatingWebhookConfigurations,
      validatingAdmissionPolicies: resources.validatingAdmissionPolicies,
      validatingAdmissionPolicyBindings: resources.validatingAdmissionPolicyBindings,
      validatingWebhookConfigurations: resources.validatingWebhookConfigurations,
    },
  },
  apiextensions: {
    v1: {
      customResourceDefinitions: resources.customResourceDefinitions,
    },
  },
  apiregistration: {
    v1: {
      apiServices: resources.apiServices,
    },
  },
  apps: {
    v1: {
      controllerRevisions: resources.controllerRevisions,
      daemonSets: resources.daemonSets,
      deployments: resources.deployments,
      replicaSets: resources.replicaSets,
      statefulSets: resources.statefulSets,
    },
  },
  authentication: {
    v1: {
      selfSubjectReviews: resources.selfSubjectReviews,
      tokenReviews: resources.tokenReviews,
    },
  },
  authorization: {
    v1: {
      localSubjectAccessReviews: resources.localSubjectAccessReviews,
      selfSubjectAccessReviews: resources.selfSubjectAccessReviews,
      selfSubjectRulesReviews: resources.selfSubjectRulesReviews,
      subjectAccessReviews: resources.subjectAccessReviews,
    },
  },
  autoscaling: {
    v1: {
      horizontalPodAutoscalers: resources.horizontalPodAutoscalersV1,
    },
    v2: {
      horizontalPodAutoscalers: resources.horizontalPodAutoscalers,
    },
  },
  batch: {
    v1: {
      cronJobs: resources.cronJobs,
      jobs: resources.jobs,
    },
  },
  certificates: {
    v1: {
      certificateSigningRequests: resources.certificateSigningRequests,
    },
  },
  coordination: {
    v1: {
      leases: resources.leases,
    },
  },
  core: {
    v1: {
      bindings: resources.bindings,
      componentStatuses: resources.componentStatuses,
      configMaps: resources.configMaps,
      endpoints: resources.endpoints,
      events: resources.events,
      limitRanges: resources.limitRanges,
      namespaces: resources.namespaces,
      nodes: resources.nodes,
      persistentVolumeClaims: resources.persistentVolumeClaims,
      persistentVolumes: resources.persistentVolumes,
      podTemplates: resources.podTemplates,
      pods: resources.pods,
      replicationControllers: resources.replicationControllers,
      resourceQuotas: resources.resourceQuotas,
      secrets: resources.secrets,
      serviceAccounts: resources.serviceAccounts,
      services: resources.services,
    },
  },
  discovery: {
    v1: {
      endpointSlices: resources.endpointSlices,
    },
  },
  events: {
    v1: {
      events: resources.eventsV1,
    },
  },
  flowcontrol: {
    v1: {
      flowSchemas: resources.flowSchemas,
      priorityLevelConfigurations: resources.priorityLevelConfigurations,
    },
  },
  networking: {
    v1: {
      ingressClasses: resources.ingressClasses,
      ingresses: resources.ingresses,
      ipAddresses: resources.ipAddresses,
      networkPolicies: resources.networkPolicies,
      serviceCIDRs: resources.serviceCIDRs,
    },
  },
  node: {
    v1: {
      runtimeClasses: resources.runtimeClasses,
    },
  },
  policy: {
    v1: {
      podDisruptionBudgets: resources.podDisruptionBudgets,
    },
  },
  rbac: {
    v1: {
      clusterRoleBindings: resources.clusterRoleBindings,
      clusterRoles: resources.clusterRoles,
      roleBindings: resources.roleBindings,
      roles: resources.roles,
    },
  },
  resource: {
    v1: {
      deviceClasses: resources.deviceClasses,
      resourceClaimTemplates: resources.resourceClaimTemplates,
      resourceClaims: resources.resourceClaims,
      resourceSlices: resources.resourceSlices,
    },
  },
  scheduling: {
    v1: {
      priorityClasses: resources.priorityClasses,
    },
  },
  storage: {
    v1: {
      csiDrivers: resources.csiDrivers,
      csiNodes: resources.csiNodes,
      csiStorageCapacities: resources.csiStorageCapacities,
      storageClasses: resources.storageClasses,
      volumeAttachments: resources.volumeAttachments,
      volumeAttributesClasses: resources.volumeAttributesClasses,
    },
  },
};

type Groups = typeof GROUPS;
/** The objects of a resource. */
type ObjectsOf<R> = R extends ResourceRef<infer T> ? T : never;

/** One resource in a namespace, or over all of them where none is said; of those without namespaces, without. */
export type ResourceAccess<T extends ApiObject> = (namespace?: string) => ResourceClient<T>;

/** `core.v1.pods('default')`, for every built-in resource. */
export type TypedApi = {
  readonly [G in keyof Groups]: {
    readonly [V in keyof Groups[G]]: {
      readonly [R in keyof Groups[G][V]]: ResourceAccess<ObjectsOf<Groups[G][V][R]>>;
    };
  };
};

/** A resource of one's own: what a CustomResourceDefinition says of it. */
export interface CustomResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind?: string;
  /** Default true. */
  readonly namespaced?: boolean;
}

/** What is needed of a CustomResourceDefinition. */
export interface ResourceDefinition {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly plural: string; readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly served?: boolean; readonly storage?: boolean }[];
  };
}

/** Names a resource as a client is asked for it. */
export type NamedResource<T extends ApiObject> = ResourceRef<T> | CustomResource | ResourceDefinition;

export interface TypedClient extends Omit<Client, 'resource' | 'because'>, Omit<TypedApi, 'resource'> {
  /** Any resource by its name; and the API group of that word, `client.resource.v1.resourceClaims('default')`. */
  readonly resource: (<T extends ApiObject>(of: NamedResource<T>) => ResourceClient<T>) & TypedApi['resource'];
  because(cause: Cause): TypedClient;
}

/** The same client, with a name for every built-in resource. Costs nothing until a group is used. */
export function typedClient(client: Client): TypedClient {
  return new GroupedClient(client) as unknown as TypedClient;
}

/** The getters of the groups are made once: getters of each client would be made old, and keep it (docs/decisions). */
class GroupedClient {
  readonly #client: Client;
  #resource: unknown;

  static {
    for (const [group, versions] of Object.entries(GROUPS)) {
      if (group === 'resource') continue;
      Object.defineProperty(GroupedClient.prototype, group, {
        enumerable: true,
        get(this: GroupedClient) {
          return groupOf(this.#client, versions);
        },
      });
    }
  }

  constructor(client: Client) {
    this.#client = client;
  }

  raw(...args: Parameters<Client['raw']>): Promise<unknown> {
    return this.#client.raw(...args);
  }

  because(cause: Cause): TypedClient {
    return typedClient(this.#client.because(cause));
  }

  /** One word, two meanings: the method of every client, and a group of the API. */
  get resource(): unknown {
    const client = this.#client;
    this.#resource ??= Object.assign(
      (of: NamedResource<ApiObject>) => client.resource(referenceOf(of)),
      groupOf(client, GROUPS.resource),
    );
    return this.#resource;
  }
}

type GroupTable = Readonly<Record<string, Readonly<Record<string, ResourceRef>>>>;

function groupOf(client: Client, versions: GroupTable) {
  const accesses = ([name, ref]: [string, ResourceRef]) => {
    const access = (namespace = '') =>
      namespace === '' ? client.resource(ref) : client.resource(ref).namespace(namespace);
    return [name, access] as const;
  };
  const entries = Object.entries(versions).map(
    ([version, refs]) => [version, Object.fromEntries(Object.entries(refs).map(accesses))] as const,
  );
  return Object.fromEntries(entries);
}

/** The name of a resource, however it was said. */
export function referenceOf<T extends ApiObject>(of: NamedResource<T>): ResourceRef<T> {
  if ('resource' in of) return of;
  if ('plural' in of) {
    const { group, version, plural, kind = '', namespaced = true } = of;
    return { group, version, resource: plural, kind, namespaced };
  }
  const { group, scope, names, versions } = of.spec;
  const version = versions.find(({ storage }) => storage) ?? versions[0];
  return {
    group,
    version: version?.name ?? '',
    resource: names.plural,
    kind: names.kind,
    namespaced: scope === 'Namespaced',
  };
}

/** Every reference of the table with where it stands, for tests that hold the table to the resources. */
export function typedResources(): { readonly group: string; readonly version: string; readonly ref: ResourceRef }[] {
  return Object.entries(GROUPS).flatMap(([group, versions]) =>
    Object.entries(versions).flatMap(([version, refs]) =>
      Object.values(refs as Readonly<Record<string, ResourceRef>>).map((ref) => ({ group, version, ref })),
    ),
  );
}

type AllRefs = typeof resources;
type Singular<P extends string> = P extends `${infer S}ies`
  ? `${S}y`
  : P extends `${infer S}sses`
    ? `${S}ss`
    : P extends 'ingresses' | 'ingressclasses'
      ? P
      : P extends `${infer S}s`
        ? S
        : P;

/** The type of what `deployment/web` or `pods/a` names; an object whose fields are not known for other names. */
export type ObjectNamed<N extends string> = {
  [K in keyof AllRefs & string]: Lowercase<N> extends Lowercase<K> | Singular<Lowercase<K>>
    ? ObjectsOf<AllRefs[K]>
    : never;
}[keyof AllRefs & string] extends infer T
  ? [T] extends [never]
    ? AnyObject
    : T
  : never;

/** An object of a kind that is not known here. */
export interface AnyObject extends ApiObject {
  // biome-ignore lint/suspicious/noExplicitAny: what a custom resource holds is known to its user alone.
  [field: string]: any;
}

/** As it is read once it is there: a predicate looks at fields that may be absent, which then is "not yet". */
export type Settled<T> = T extends readonly (infer E)[]
  ? readonly Settled<E>[]
  : T extends object
    ? { readonly [K in keyof T]-?: Settled<NonNullable<T[K]>> }
    : T;

export type SettledObject<N extends string> = Settled<ObjectNamed<N>> & Pick<Live<ApiObject>, 'metadata'>;
