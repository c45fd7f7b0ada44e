// The cluster's DNS as an addon: the Service that pods know, and the server behind it.

import { type DnsServer, startDns } from '../../addons/dns/dns.ts';
import { clusterRoleBindings, clusterRoles, endpointSlices, serviceAccounts, services } from '../../api/resources.ts';
import type { Client, Informers, ResourceClient } from '../../libs/kind/client.ts';
import type { ApiObject, ResourceRef } from '../../libs/kind/object.ts';
import { isAlreadyExists, isNotFound } from '../../libs/machinery/errors.ts';
import type { Machine } from './apiserver.ts';

export interface DnsSettings {
  /** As an administrator: makes the addon's objects. */
  readonly admin: Client;
  /** As `DNS_ACCOUNT`. */
  readonly informers: Informers;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** The cluster IP of the Service `kube-dns`. */
  readonly dnsIp: string;
  /** Who may ask: the networks of pods. This machine may, too. */
  readonly podCidrs: readonly string[];
}

const NAMESPACE = 'kube-system';
const SERVICE = 'kube-dns';
/** The service account of `kube-system` whose role lets it follow Services and their endpoints. */
export const DNS_ACCOUNT = 'tutti-dns';
const ROLE = 'tutti:dns';
/** 53 on the node is left to others: pods ask the Service. */
const NODE_PORT = 10_053;

/** What must be there before the server can read anything. */
export async function ensureDnsAccount(admin: Client): Promise<void> {
  const labels = { 'kubernetes.io/bootstrapping': 'tutti-dns' };
  const rules = [
    { apiGroups: [''], resources: ['services', 'namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: ROLE };
  const subjects = [{ kind: 'ServiceAccount', name: DNS_ACCOUNT, namespace: NAMESPACE }];
  await Promise.all([
    ensure(admin, serviceAccounts, { metadata: { name: DNS_ACCOUNT, namespace: NAMESPACE, labels } }),
    ensure(admin, clusterRoles, { metadata: { name: ROLE, labels }, rules }),
    ensure(admin, clusterRoleBindings, { metadata: { name: ROLE, labels }, roleRef, subjects }),
  ]);
}

/** Starts to answer, and tells the cluster where. */
export async function startClusterDns(machine: Machine, settings: DnsSettings): Promise<AsyncDisposable> {
  const { admin, nodeName, nodeIp, dnsIp, informers } = settings;
  const server = await listen(machine, settings, informers);
  const slices = admin.resource(endpointSlices).namespace(NAMESPACE);
  const sliceName = `${SERVICE}-${nodeName}`;
  await ensureService(admin, dnsIp);
  const ports = (['UDP', 'TCP'] as const).map((protocol) => ({
    name: protocol === 'UDP' ? 'dns' : 'dns-tcp',
    protocol,
    port: server.port,
  }));
  const slice = {
    metadata: {
      name: sliceName,
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': SERVICE, 'endpointslice.kubernetes.io/managed-by': 'tutti' },
    },
    addressType: nodeIp.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [nodeIp], nodeName, conditions: { ready: true, serving: true, terminating: false } }],
    ports,
  };
  const found = await slices.get(sliceName).catch(absent);
  if (found?.addressType !== undefined && found.addressType !== slice.addressType) await slices.delete(sliceName);
  if (found?.addressType === slice.addressType) {
    await slices.patch(sliceName, { endpoints: slice.endpoints, ports }, { type: 'merge' });
  } else await slices.create(slice);
  return server;
}

async function listen(machine: Machine, settings: DnsSettings, informers: Informers): Promise<DnsServer> {
  const { host, clock, random } = machine;
  const { nodeIp, dnsIp, podCidrs } = settings;
  const log = machine.log.child('dns');
  const start = (port: number) =>
    startDns({
      informers,
      host,
      clock,
      random,
      log,
      address: nodeIp,
      port,
      serviceAddresses: [dnsIp],
      clients: podCidrs,
    });
  try {
    return await start(NODE_PORT);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    return start(0);
  }
}

async function ensureService(admin: Client, dnsIp: string): Promise<void> {
  const client = admin.resource(services).namespace(NAMESPACE);
  const found = await client.get(SERVICE).catch(absent);
  if (found?.spec?.clusterIP === dnsIp) return;
  // The range of Services was changed.
  if (found) await client.delete(SERVICE);
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns-tcp', protocol: 'TCP', port: 53 },
  ];
  const labels = { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true' };
  await client.create({
    metadata: { name: SERVICE, namespace: NAMESPACE, labels },
    spec: { clusterIP: dnsIp, ports },
  });
}

async function ensure<T extends ApiObject>(admin: Client, ref: ResourceRef<T>, object: object): Promise<void> {
  const { namespace } = (object as ApiObject).metadata ?? {};
  const all: ResourceClient<T> = admin.resource(ref);
  await (namespace ? all.namespace(namespace) : all).create(object as T).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
}

function absent(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}
