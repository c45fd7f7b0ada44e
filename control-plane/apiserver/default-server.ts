import { persistentVolume } from '../../api/core/persistentvolume/kind.ts';
import { persistentVolumeClaim } from '../../api/core/persistentvolumeclaim/kind.ts';
import { pod } from '../../api/core/pod/kind.ts';
import { service } from '../../api/core/service/kind.ts';
import { flowSchema } from '../../api/flowcontrol/flowschema/kind.ts';
import { priorityLevelConfiguration } from '../../api/flowcontrol/prioritylevelconfiguration/kind.ts';
import { builtinKinds } from '../../api/kinds.ts';
import { clusterRole } from '../../api/rbac/clusterrole/kind.ts';
import { clusterRoleBinding } from '../../api/rbac/clusterrolebinding/kind.ts';
import { role } from '../../api/rbac/role/kind.ts';
import { roleBinding } from '../../api/rbac/rolebinding/kind.ts';
import { builtinSchema, builtinTypeOf } from '../../api/schema/builtin.ts';
import { volumeAttachment } from '../../api/storage/volumeattachment/kind.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Service } from '../../api/types/core/v1.generated.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/types/rbac/v1.generated.ts';
import type { VolumeAttachment } from '../../api/types/storage/v1.generated.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { KeyPair, Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { Allocator } from '../../libs/kind/allocator.ts';
import type { Kind } from '../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../libs/kind/request.ts';
import type { Describe } from '../../libs/machinery/openapi/schemas.ts';
import type { ComponentFacts } from '../../libs/metrics/component.ts';
import type { Store } from '../store/store.ts';
import { cachedSource } from './admission/source.ts';
import { standardAdmission } from './admission/standard.ts';
import { Aggregator, NO_AGGREGATION, type ProxyTransport } from './aggregation/aggregator.ts';
import type { StoredServices } from './allocators/node-ports.ts';
import { serviceAllocator } from './allocators/service-allocator.ts';
import type { Authenticator } from './authn/authenticator.ts';
import { bootstrapTokenAuthenticator, bootstrapUser } from './authn/bootstrap-tokens.ts';
import { clientCertificateAuthenticator } from './authn/client-certificate.ts';
import { impersonation } from './authn/impersonation.ts';
import { type RequestHeaderTrust, requestHeaderAuthenticator } from './authn/request-header.ts';
import { ServiceAccountTokens } from './authn/service-account-tokens.ts';
import { type Authorizer, authorizeInTurn, decideAtOnce } from './authz/authorizer.ts';
import { escalationCheck } from './authz/escalation.ts';
import { NodeAuthorizer, type NodeGraph } from './authz/node.ts';
import { RbacAuthorizer, type RbacObjects } from './authz/rbac.ts';
import { readOnlyAuthorizer } from './authz/read-only.ts';
import { bootstrapCluster } from './bootstrap/bootstrap.ts';
import type { Caches } from './cache/caches.ts';
import type { ResourceCache } from './cache/resource-cache.ts';
import type { WatchLimits } from './cache/watcher.ts';
import { CustomResources } from './crd/custom-resources.ts';
import { type ComponentCheck, componentStatusKind } from './endpoints/component-statuses.ts';
import { discoveryEndpoint } from './endpoints/discovery.ts';
import { type HealthCheck, healthEndpoint } from './endpoints/health.ts';
import { indexEndpoint } from './endpoints/index-paths.ts';
import { metricsEndpoint } from './endpoints/metrics.ts';
import { openIdEndpoint } from './endpoints/open-id.ts';
import { openApiEndpoint } from './endpoints/openapi.ts';
import { standardChecks } from './endpoints/standard-checks.ts';
import { buildLabels, versionEndpoint, versionInfo } from './endpoints/version.ts';
import { zPagesEndpoint } from './endpoints/z-pages.ts';
import { ConfigStatus } from './fairness/config-status.ts';
import { fairnessDumps } from './fairness/dump.ts';
import { Fairness, type FairnessObjects } from './fairness/fairness.ts';
import { Observed } from './observed.ts';
import type { Connector } from './registry/engine.ts';
import { KindSet } from './registry/kind-set.ts';
import { accessReviewKinds } from './reviews/access-reviews.ts';
import { identityReviewKinds } from './reviews/identity-reviews.ts';
import { ApiServer, type AuditRecord, type Endpoint } from './server.ts';
import { type ServiceRouting, serviceResolver } from './service-resolver.ts';
import type { Identity } from './upkeep/identity-lease.ts';
import { standardUpkeep, Upkeep } from './upkeep/upkeep.ts';
import { NO_WEBHOOKS, WebhookClient, type WebhookTransport } from './webhook/client.ts';

/** What is served beside the groups. */
const PATHS = [
  '/.well-known/openid-configuration',
  '/flagz',
  '/healthz',
  '/livez',
  '/metrics',
  '/metrics/slis',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/',
  '/openid/v1/jwks',
  '/readyz',
  '/statusz',
  '/version',
];
const DEFAULT_SERVICE_CIDR = '10.96.0.0/12';

export interface DefaultServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  /** Whose client certificates say who somebody is. */
  readonly clientAuthorityPem: string;
  /** Which proxies may say in headers whom a request is of; default: none. */
  readonly requestHeader?: RequestHeaderTrust;
  /** Signs the tokens of service accounts. */
  readonly serviceAccountKey: KeyPair;
  /** `iss` of those tokens. Default `https://kubernetes.default.svc.cluster.local`. */
  readonly serviceAccountIssuer?: string;
  /** `host:port` that discovery tells clients. */
  readonly serverAddress: string;
  /** Where Services' addresses come from: one network, or one of each family. Default `10.96.0.0/12`. */
  readonly serviceCidrs?: readonly string[];
  /** The address at which nodes and pods reach this server; without one the Service `kubernetes` leads nowhere. */
  readonly advertiseAddress?: string;
  /** `linux/amd64`, `v26.10.0`: what `/version` says of the machine. */
  readonly platform: string;
  readonly runtime: string;
  /** What the server was started with, for `/flagz`; no secrets. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The published words about types and fields, by OpenAPI name: for tables, `kubectl explain` and OpenAPI. */
  readonly describe?: Describe;
  /** Known before certificates are looked at: tokens, the users of a simulation. */
  readonly authenticators?: readonly Authenticator[];
  readonly audit?: (record: AuditRecord) => void;
  /** How exec, logs and proxies reach nodes, pods and services. Default: they are answered with 503. */
  readonly connector?: Connector;
  /** How admission and conversion webhooks are called. Default: all fail. */
  readonly webhooks?: WebhookTransport;
  /** How extension API servers are reached (APIServices with a Service). Default: they are never available. */
  readonly aggregation?: ProxyTransport;
  /** How webhooks and extension API servers that are Services are reached. Default `clusterIP`, as upstream. */
  readonly serviceRouting?: ServiceRouting;
  /** What the process takes of its machine, and the features that are on or off in it, for `/metrics`. */
  readonly process?: ComponentFacts['process'];
  readonly features?: ComponentFacts['features'];
  readonly healthChecks?: readonly HealthCheck[];
  /** When the certificate that clients see ends, for health; default: there are no sockets. */
  readonly servingNotAfterMs?: () => number;
  /**
   * Who this server is among those of its cluster. With it, the server keeps its lease and sees to what a cluster stands on
   * while it runs (`upkeep/`); default: it makes these things at its start and leaves them then.
   */
  readonly identity?: Identity;
  /** What `kubectl get componentstatuses` asks beside the store. */
  readonly componentChecks?: readonly ComponentCheck[];
  /** Leave out the objects that are Tutti's own (`bootstrap/own.ts`). Default: they are made. */
  readonly upstreamOnly?: boolean;
  /** What is served beside all that, with the paths that `/` lists. */
  readonly endpoints?: readonly (Endpoint & { readonly paths: readonly string[] })[];
  /** Of watches. Default: bookmarks each minute, 30 s for a reader that takes nothing. */
  readonly watch?: Partial<WatchLimits>;
  /** What every cluster has from the start is there, made by this very version: it is not looked through again. */
  readonly prepared?: boolean;
  /** Everybody may read and nobody may write, and this is why; nothing is made at the start. For stores that are the past. */
  readonly readOnly?: string;
}

/** The API server as everyone runs it: the built-in kinds, client certificates, RBAC, health, discovery and OpenAPI. */
export function createDefaultServer(options: DefaultServerOptions): ApiServer {
  const { store, clock, random, keys, log } = options;
  const schema = builtinSchema();
  const kinds = new KindSet();
  const endpoints: Endpoint[] = [];
  const authorizers: Authorizer[] = options.readOnly === undefined ? [] : [readOnlyAuthorizer(options.readOnly)];
  const resolve = serviceResolver(options.serviceRouting ?? 'clusterIP', random.fork('services'));
  const webhookClient = new WebhookClient({ clock, resolve, transport: options.webhooks ?? NO_WEBHOOKS });
  const observed = new Observed();
  const cel = observed.cel(clock);
  const customResources = new CustomResources(
    schema,
    { client: webhookClient, random: random.fork('conversion') },
    cel,
  );
  const issuer = options.serviceAccountIssuer ?? 'https://kubernetes.default.svc.cluster.local';
  const tokens = new ServiceAccountTokens({
    keys,
    clock,
    random: random.fork('tokens'),
    signingKey: options.serviceAccountKey,
    issuer,
  });
  const authorize = (user: UserInfo, attributes: RequestAttributes) => authorizeInTurn(authorizers, user, attributes);
  const rulesOf = (user: UserInfo, namespace: string) =>
    [...rbac.grants(user, namespace)].flatMap((grant) => grant.rules);
  const reviews = [
    ...accessReviewKinds({
      authorize,
      rulesOf,
    }),
    ...identityReviewKinds(tokens, clock, (token, registry) => bootstrapUser({ keys, clock }, token, registry)),
  ];
  const componentStatuses = componentStatusKind([
    ...(options.componentChecks ?? []),
    { name: 'etcd-0', check: async () => void (await store.currentRevision()) },
  ]);
  const flowObjects = fairnessObjects(() => server.engine.caches);
  const fairness = new Fairness({
    clock,
    objects: flowObjects,
    changed: () => void configStatus.run(),
    dispatched: (level, schemaName, waitedMs) => observed.dispatched(level, schemaName, waitedMs),
    rejected: (...told) => observed.rejected(...told),
  });
  const configStatus = new ConfigStatus({
    clock,
    log,
    objects: flowObjects,
    ask: (...question) => server.asItself(...question),
  });
  const aggregator = new Aggregator({
    transport: options.aggregation ?? NO_AGGREGATION,
    clock,
    log,
    caches: () => server.engine.caches,
    registry: () => server.engine.registry,
    resolve,
    ask: (...question) => server.asItself(...question),
    lost: (name, reason) => observed.apiServiceLost(name, reason),
  });
  const upkeep = new Upkeep(clock, log.child('upkeep'));
  let bootstrapped = false;
  const server: ApiServer = new ApiServer({
    store,
    clock,
    random,
    log,
    schema,
    kinds,
    builtin: [
      ...builtinKinds.map((kind) => (kind.kind === 'ServiceAccount' ? tokens.extend(kind) : kind)),
      ...reviews,
      componentStatuses,
    ],
    ...(options.watch && { watch: options.watch }),
    documentation: options.describe && ((type, field) => options.describe?.(schema.get(type).openapiName ?? '', field)),
    authenticators: [
      ...(options.authenticators ?? []),
      ...(options.requestHeader ? [requestHeaderAuthenticator({ keys, clock, ...options.requestHeader })] : []),
      clientCertificateAuthenticator({
        keys,
        clock,
        clientAuthorityPem: options.clientAuthorityPem,
        validFor: (ms) => observed.certificateValidFor(ms),
      }),
      bootstrapTokenAuthenticator({ keys, clock }, () => server.engine.registry),
      tokens.authenticator(() => server.engine.registry),
    ],
    impersonate: impersonation(authorize),
    authorizers,
    fairness,
    observed,
    aggregator,
    admission: [
      ...standardAdmission({
        random: random.fork('admission'),
        keys,
        kinds,
        schema,
        caches: () => server.engine.caches,
        decide: (user, attributes) => decideAtOnce(authorizers, user, attributes),
        webhookClient,
        clock,
        observed,
        cel,
      }),
      escalationCheck({ objects: () => rbacObjects(server.engine.caches), authorize, rulesOf }),
    ],
    endpoints,
    allocators: (caches) => [
      serviceAllocator(storedServices(caches), random.fork('allocators')) as unknown as Allocator,
    ],
    async bootstrap(engine, ctx) {
      customResources.start(engine);
      if (options.readOnly !== undefined || options.prepared) {
        bootstrapped = true;
        return;
      }
      const { clientAuthorityPem, serviceCidrs = [DEFAULT_SERVICE_CIDR], advertiseAddress } = options;
      const port = Number(options.serverAddress.split(':').at(-1));
      const network = { serviceCidrs, port, ...(advertiseAddress ? { advertiseAddress } : {}) };
      await bootstrapCluster(engine, ctx, {
        clientAuthorityPem,
        requestHeader: options.requestHeader,
        upstreamOnly: options.upstreamOnly ?? false,
        network,
      });
      await configStatus.run();
      bootstrapped = true;
      if (options.identity) upkeep.start(server, standardUpkeep(network), options.identity);
    },
    stopping: () => upkeep.stop(),
    ...(options.audit ? { audit: options.audit } : {}),
    ...(options.connector ? { connector: options.connector } : {}),
  });
  const { caches } = server.engine;
  const rbac = new RbacAuthorizer(rbacObjects(caches));
  authorizers.push(new NodeAuthorizer(new CachedNodeGraph(caches)), rbac);
  const sha256 = (text: string) => keys.digest('sha256', text);
  observed.watchStorage(kinds, caches, options.store);
  observed.watchFairness(fairness);
  observed.watchApiServices(() => aggregator.availability);
  const version = versionInfo(options.platform, options.runtime);
  observed.component({ build: buildLabels(version), features: options.features ?? [], process: options.process });
  const checks = [
    ...standardChecks({
      caches,
      store,
      customResources: () => customResources.started,
      fairness: () => fairness.levels.length > 0,
      bootstrapped: () => bootstrapped,
      upkeep: options.identity && options.readOnly === undefined ? () => upkeep.running : undefined,
      servingNotAfterMs: options.servingNotAfterMs,
      nowMs: () => clock.now(),
      shuttingDown: () => server.shuttingDown,
    }),
    ...(options.healthChecks ?? []),
  ];
  endpoints.push(
    healthEndpoint(checks, (name, error) => log.warn('a health check failed', { check: name, error })),
    metricsEndpoint(observed, checks),
    openIdEndpoint(issuer, options.serverAddress, [options.serviceAccountKey]),
    indexEndpoint(kinds, [
      ...PATHS,
      ...(options.endpoints ?? []).flatMap(({ paths }) => paths),
      ...checks.flatMap(({ name, paths }) => paths.map((path) => `/${path}/${name}`)),
    ]),
    ...(options.endpoints ?? []),
    fairnessDumps(fairness),
    zPagesEndpoint({
      startedMs: clock.now(),
      nowMs: () => clock.now(),
      runtime: options.runtime,
      version: '1.36.2',
      paths: ['/healthz', '/livez', '/metrics', '/readyz', '/statusz', '/version'],
      flags: options.flags ?? {},
    }),
    versionEndpoint(version),
    discoveryEndpoint({ kinds, serverAddress: options.serverAddress, sha256, remote: () => aggregator.groups }),
    openApiEndpoint({
      kinds,
      schema,
      typeOf: builtinTypeOf,
      version: 'v1.36.2',
      describe: options.describe,
      sha256,
      aggregator,
    }),
  );
  return server;
}

function fairnessObjects(caches: () => Caches): FairnessObjects {
  const schemas = cachedSource(caches, flowSchema);
  const levels = cachedSource(caches, priorityLevelConfiguration);
  return {
    version: () => Math.max(schemas.version(), levels.version()),
    schemas: schemas.all,
    levels: levels.all,
  };
}

function storedServices(caches: Caches): StoredServices {
  const cache = () => caches.resource(service as unknown as Kind);
  return {
    version: () => cache().changed,
    all: () =>
      cache()
        .all()
        .map((encoded) => encoded.object() as DeepReadonly<Service>),
  };
}

function rbacObjects(caches: Caches): RbacObjects {
  const of = (kind: object) => caches.resource(kind as Kind);
  const [clusterRoles, clusterRoleBindings] = [of(clusterRole), of(clusterRoleBinding)];
  const [roles, roleBindings] = [of(role), of(roleBinding)];
  const all = <T>(cache: ResourceCache) => cache.all().map((encoded) => encoded.object() as DeepReadonly<T>);
  return {
    // Asked with every request.
    version: () => clusterRoles.changed + clusterRoleBindings.changed + roles.changed + roleBindings.changed,
    clusterRole: (name) => stored<ClusterRole>(caches, clusterRole, '', name),
    role: (namespace, name) => stored<Role>(caches, role, namespace, name),
    clusterRoleBindings: () => all<ClusterRoleBinding>(clusterRoleBindings),
    roleBindings: () => all<RoleBinding>(roleBindings),
  };
}

/** One object of a built-in kind, as the watch cache has it. */
function stored<T extends ApiObject>(caches: Caches, kind: Kind<T>, namespace: string, name: string) {
  const cache = caches.resource(kind as unknown as Kind);
  const key = namespace === '' ? cache.prefix + name : `${cache.prefix}${namespace}/${name}`;
  return cache.get(key)?.object() as DeepReadonly<T> | undefined;
}

/** A class, as V8 makes a generator within a function old, with all of the cluster that it sees. */
class CachedNodeGraph implements NodeGraph {
  readonly #caches: Caches;

  constructor(caches: Caches) {
    this.#caches = caches;
  }

  *podsOn(node: string): Iterable<DeepReadonly<Pod>> {
    for (const encoded of this.#caches.resource(pod as unknown as Kind).byField('spec.nodeName', node))
      yield encoded.object() as unknown as DeepReadonly<Pod>;
  }

  pod(namespace: string, name: string) {
    return stored<Pod>(this.#caches, pod, namespace, name);
  }

  volumeOf(namespace: string, claim: string) {
    return stored<PersistentVolumeClaim>(this.#caches, persistentVolumeClaim, namespace, claim)?.spec?.volumeName;
  }

  volume(name: string) {
    return stored<PersistentVolume>(this.#caches, persistentVolume, '', name);
  }

  attachmentNode(name: string) {
    return stored<VolumeAttachment>(this.#caches, volumeAttachment, '', name)?.spec?.nodeName;
  }
}
