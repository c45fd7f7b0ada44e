import { namespaces } from '../../api/resources.ts';
import type { Namespace } from '../../api/types/core/v1.generated.ts';
import { keyOf, type Live } from '../../libs/kind/object.ts';
import { type ControllerEnvironment, type Reconciler, watching } from '../../libs/kind/reconciler.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { discover, servedWith } from './discovery.ts';
import { deletionConditions, type Remains } from './namespace-plan.ts';

const FINALIZER = 'kubernetes';
/** How soon to look again at what has not gone yet. */
const REMAINING_MS = 5000;
const PODS_GONE_MS = 1000;

interface Action {
  readonly type: 'empty' | 'finalize';
  readonly reason: string;
}

/**
 * Deletes what is in a namespace that is being deleted, of every kind that the server serves at that moment, says what it
 * waits for, and lets the namespace go when nothing is left.
 */
export const namespaceController: Reconciler<Live<Namespace>, Action> = {
  name: 'namespace',
  concurrency: 10,
  watches: [watching(namespaces, (namespace) => (namespace.metadata.deletionTimestamp ? [keyOf(namespace)] : []))],
  observe: ({ informers }, key) => {
    const namespace = informers.informer(namespaces).get(key);
    return namespace?.metadata.deletionTimestamp && namespace.spec?.finalizers?.includes(FINALIZER)
      ? namespace
      : undefined;
  },
  plan: () => ({
    actions: [
      { type: 'empty', reason: 'delete the content' },
      { type: 'finalize', reason: 'nothing is left' },
    ],
    againAfterMs: REMAINING_MS,
  }),
  async apply(env, { type }, observed) {
    const { name } = observed.metadata;
    const all = env.client.resource(namespaces);
    if (type === 'finalize') {
      const namespace = await all.get(name).catch(goneAlready);
      const left = namespace?.status?.conditions?.some(({ status }) => status === 'True');
      if (!namespace || left || namespace.metadata.uid !== observed.metadata.uid) return;
      const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
      const emptied = { ...namespace, spec: { ...namespace.spec, finalizers } } as unknown as Namespace;
      await env.client
        .raw('PUT', `/api/v1/namespaces/${encodeURIComponent(name)}/finalize`, { body: emptied })
        .catch(goneAlready);
      return;
    }
    const remains = await empty(env, name);
    const namespace = await all.get(name).catch(goneAlready);
    if (!namespace || namespace.metadata.uid !== observed.metadata.uid) return;
    const before = namespace.status?.conditions ?? [];
    const conditions = deletionConditions(before, remains, env.clock.now());
    if (conditions === before) return;
    const status = { ...namespace.status, phase: 'Terminating', conditions };
    await all.subresource('status').update({ ...namespace, status } as unknown as Namespace);
  },
};

function goneAlready(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}

/** Asks for the end of everything, pods first among equals; gives what is there still. */
async function empty(env: ControllerEnvironment, namespace: string): Promise<Remains> {
  const { client, clock } = env;
  const discovered = await discover(client);
  const refs = servedWith(discovered, ['list', 'delete']).filter(({ namespaced }) => namespaced);
  const [counts, finalizers] = [new Map<string, number>(), new Map<string, number>()];
  const failures: string[] = [];
  const begin = [...refs].sort((a, b) => Number(b.resource === 'pods') - Number(a.resource === 'pods'));
  for (const pass of ['delete', 'count'] as const) {
    if (pass === 'count' && (counts.get('pods.') ?? 0) > 0) await clock.sleep(PODS_GONE_MS);
    counts.clear();
    finalizers.clear();
    for (const ref of begin) {
      const objects = client.resource(ref).namespace(namespace);
      try {
        const { items } = await objects.list();
        if (items.length === 0) continue;
        counts.set(`${ref.resource}.${ref.group}`, items.length);
        for (const { metadata } of items) {
          for (const finalizer of metadata.finalizers ?? [])
            finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
        }
        if (pass === 'count') continue;
        await objects.deleteCollection({}, { propagationPolicy: 'Background' });
      } catch (error) {
        // Served a moment ago and no more: with the kind went its objects.
        if (!isNotFound(error)) failures.push(`${ref.resource}.${ref.group}: ${(error as Error).message}`);
      }
    }
    if (pass === 'delete' && counts.size === 0) break;
  }
  const unanswered = discovered.failures.map(({ groupVersion, message }) => `${groupVersion}: ${message}`).join(', ');
  return {
    counts,
    finalizers,
    ...(unanswered
      ? { discoveryFailure: `Discovery failed for some groups, ${discovered.failures.length} failing: ${unanswered}` }
      : {}),
    ...(failures.length > 0 ? { deletionFailure: failures.join(', ') } : {}),
  };
}
