// The cluster's DNS as an addon: the Service that pods know, and the servers behind it, one on each node.

import { type DnsServer, startDns } from '../../addons/dns/dns.ts';
import { clusterRoleBindings, clusterRoles, endpointSlices, serviceAccounts, services } from '../../api/resources.ts';
import type { Client, Informers, ResourceClient } from '../../libs/kind/client.ts';
import type { ApiObject, ResourceRef } from '../../libs/kind/object.ts';
import { isAlreadyExists, isNotFound } from '../../libs/machinery/errors.ts';
import type { Machine } from './apiserver.ts';

export interface DnsSettings {
  /** As `DNS_ACCOUNT`, or as a node that joined. */
  readonly informers: Informers;
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

/** Where a node's DNS answers. */
export interface DnsEndpoint {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly port: number;
  /** Default true. */
  readonly ready?: boolean;
}

/** Makes the Service that pods know, and the node's endpoint of it. `admin` may do so. */
export async function publishDns(admin: Client, endpoint: DnsEndpoint & { readonly dnsIp: string }): Promise<void> {
  await ensureDnsService(admin, endpoint.dnsIp);
  await publishDnsEndpoint(admin, endpoint);
}

/** A slice for each node: none has to know of the others. Pods ask their own node first. */
export async function publishDnsEndpoint(
  admin: Client,
  { nodeName, nodeIp, port, ready = true }: DnsEndpoint,
): Promise<void> {
  const slices = admin.resource(endpointSlices).namespace(NAMESPACE);
  const name = `${SERVICE}-${nodeName}`;
  const ports = (['UDP', 'TCP'] as const).map((protocol) => ({
    name: protocol === 'UDP' ? 'dns' : 'dns-tcp',
    protocol,
    port,
  }));
  const conditions = { ready, serving: ready, terminating: false };
  const endpoints = [{ addresses: [nodeIp], nodeName, conditions, hints: { forNodes: [{ name: nodeName }] } }];
  const slice = {
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': SERVICE, 'endpointslice.kubernetes.io/managed-by': 'tutti' },
    },
    addressType: nodeIp.includes(':') ? 'IPv6' : 'IPv4',
    endpoints,
    ports,
  };
  const found = await slices.get(name).catch(absent);
  if (found?.addressType !== undefined && found.addressType !== slice.addressType) await slices.delete(name);
  if (found?.addressType === slice.addressType) await slices.patch(name, { endpoints, ports }, { type: 'merge' });
  else await slices.create(slice);
}

/** Takes a node's endpoint away. */
export async function removeDnsEndpoint(admin: Client, nodeName: string): Promise<void> {
  await admin.resource(endpointSlices).namespace(NAMESPACE).delete(`${SERVICE}-${nodeName}`).catch(absent);
}

/** Starts to answer. */
export async function startNodeDns(machine: Machine, settings: DnsSettings): Promise<DnsServer> {
  const { host, clock, random } = machine;
  const { informers, nodeIp, dnsIp, podCidrs } = settings;
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

/** The Service behind the address that pods ask. */
export async function ensureDnsService(admin: Client, dnsIp: string): Promise<void> {
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
