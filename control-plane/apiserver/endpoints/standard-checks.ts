import type { Store } from '../../store/store.ts';
import type { Caches } from '../cache/caches.ts';
import type { HealthCheck, HealthPath } from './health.ts';

/** How far a server has come, asked at each check. */
export interface Progress {
  readonly caches: Caches;
  readonly store: Store;
  /** Custom resources are served. */
  customResources(): boolean;
  /** The configuration of priority and fairness has been read. */
  fairness(): boolean;
  /** What every cluster has from its first moment is there. */
  bootstrapped(): boolean;
  /** What is seen to while the server runs is being seen to; undefined: this server leaves that to others. */
  readonly upkeep: (() => boolean) | undefined;
  /** When the certificate that clients see ends; undefined: the server has no sockets. */
  readonly servingNotAfterMs: (() => number) | undefined;
  nowMs(): number;
  /** No more requests shall come. */
  shuttingDown(): boolean;
}

const ALL: readonly HealthPath[] = ['healthz', 'livez', 'readyz'];

type Stage = 'caches' | 'customResources' | 'fairness' | 'bootstrapped' | 'upkeep';

/** Upstream's names, in its order, for what is started here too, and the stage in which each begins its work. */
const HOOKS: readonly (readonly [name: string, stage: Stage])[] = [
  ['start-apiserver-admission-initializer', 'caches'],
  ['generic-apiserver-start-informers', 'caches'],
  ['priority-and-fairness-config-consumer', 'fairness'],
  ['priority-and-fairness-filter', 'fairness'],
  ['storage-object-count-tracker-hook', 'caches'],
  ['start-apiextensions-informers', 'customResources'],
  ['start-apiextensions-controllers', 'customResources'],
  ['crd-informer-synced', 'customResources'],
  ['start-system-namespaces-controller', 'upkeep'],
  ['peer-endpoint-reconciler-controller', 'upkeep'],
  ['start-cluster-authentication-info-controller', 'bootstrapped'],
  ['start-kube-apiserver-identity-lease-controller', 'upkeep'],
  ['start-kube-apiserver-identity-lease-garbage-collector', 'upkeep'],
  ['storage-readiness', 'caches'],
  ['start-legacy-token-tracking-controller', 'bootstrapped'],
  ['start-service-ip-repair-controllers', 'upkeep'],
  ['rbac/bootstrap-roles', 'bootstrapped'],
  ['scheduling/bootstrap-system-priority-classes', 'bootstrapped'],
  ['priority-and-fairness-config-producer', 'bootstrapped'],
  ['bootstrap-controller', 'upkeep'],
  ['start-kubernetes-service-cidr-controller', 'bootstrapped'],
  ['aggregator-reload-proxy-client-cert', 'bootstrapped'],
  ['start-kube-aggregator-informers', 'caches'],
  ['apiservice-status-local-available-controller', 'bootstrapped'],
  ['apiservice-status-remote-available-controller', 'bootstrapped'],
  ['apiservice-registration-controller', 'bootstrapped'],
  ['apiservice-wait-for-first-sync', 'caches'],
  ['apiservice-discovery-controller', 'bootstrapped'],
  ['kube-apiserver-autoregistration', 'bootstrapped'],
];

/** After the hooks whose work it waits for. */
const AUTOREGISTER: readonly (readonly [name: string, stage: Stage])[] = [
  ['apiservice-openapi-controller', 'bootstrapped'],
  ['apiservice-openapiv3-controller', 'bootstrapped'],
];

/** A class: of thirty literals at each start V8 would make all later ones old, and each holds its server. */
class Condition implements HealthCheck {
  readonly name: string;
  readonly paths: readonly HealthPath[];
  readonly #holds: () => boolean;
  readonly #otherwise: string;

  constructor(name: string, paths: readonly HealthPath[], holds: () => boolean, otherwise: string) {
    this.name = name;
    this.paths = paths;
    this.#holds = holds;
    this.#otherwise = otherwise;
  }

  check(): void {
    if (!this.#holds()) throw new Error(this.#otherwise);
  }
}

/** The checks of `/healthz`, `/livez` and `/readyz`, in upstream's order. */
export function standardChecks(progress: Progress): HealthCheck[] {
  const { caches, store, upkeep, servingNotAfterMs, nowMs } = progress;
  const stages: Readonly<Record<Stage, (() => boolean) | undefined>> = {
    caches: () => caches.synced,
    customResources: () => progress.customResources(),
    fairness: () => progress.fairness(),
    bootstrapped: () => progress.bootstrapped(),
    upkeep,
  };
  const hooks = (list: typeof HOOKS): HealthCheck[] =>
    list.flatMap(([name, stage]) => {
      const holds = stages[stage];
      return holds ? [new Condition(`poststarthook/${name}`, ALL, holds, 'it has not begun')] : [];
    });
  const reachable = async () => void (await store.currentRevision());
  return [
    { name: 'ping', paths: ALL, check() {} },
    { name: 'log', paths: ALL, check() {} },
    ...(servingNotAfterMs
      ? [
          new Condition(
            'loopback-serving-certificate',
            ['healthz', 'livez'],
            () => nowMs() < servingNotAfterMs(),
            'the serving certificate has ended',
          ),
        ]
      : []),
    { name: 'etcd', paths: ALL, check: reachable },
    { name: 'etcd-readiness', paths: ['readyz'], check: reachable },
    new Condition('informer-sync', ['readyz'], () => caches.synced, 'the cache has not caught up with the store'),
    ...hooks(HOOKS),
    new Condition('autoregister-completion', ALL, progress.bootstrapped, 'the APIServices are not there yet'),
    ...hooks(AUTOREGISTER),
    new Condition('shutdown', ['readyz'], () => !progress.shuttingDown(), 'the server is on its way out'),
  ];
}
