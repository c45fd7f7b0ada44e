import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../../../libs/kind/client.ts';
import { serviceUnavailable, unknownPath } from '../../../../libs/machinery/errors.ts';
import { externalValue, objectValue, podSamples, resourceSamples } from './metrics.ts';

/** Answers what is in `paths`, and knows nothing else. */
function clientOf(paths: Readonly<Record<string, unknown>>): { readonly client: Client; readonly asked: string[] } {
  const asked: string[] = [];
  const raw = async (_method: string, path: string): Promise<unknown> => {
    asked.push(path);
    if (!Object.hasOwn(paths, path)) throw unknownPath();
    const answer = paths[path];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { client: { raw } as unknown as Client, asked };
}

const RESOURCE = '/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb';
const CUSTOM = '/apis/custom.metrics.k8s.io/v1beta1';
const EXTERNAL = '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue?labelSelector=name%3Da';
const ANY = { resource: 'cpu', container: '' };

const podMetrics = (name: string, usage: Readonly<Record<string, object>>) => ({
  metadata: { name },
  timestamp: '2026-01-01T00:00:00Z',
  window: '15.5s',
  containers: Object.entries(usage).map(([container, of]) => ({ name: container, usage: of })),
});

test('what pods use of a resource is the sum of their containers, or one of them', async () => {
  const items = [
    podMetrics('a', { web: { cpu: '250m' }, side: { cpu: '1500000n' } }),
    podMetrics('b', { web: { cpu: '1' }, side: {} }),
  ];
  const { client } = clientOf({ [RESOURCE]: { items } });
  const atMs = Date.parse('2026-01-01T00:00:00Z');
  assert.deepEqual(
    [...(await resourceSamples(client, 'shop', 'app=web', ANY))],
    [['a', { milli: 252, atMs, windowMs: 15_500 }]],
    'a pod of which a part is not known is not known',
  );
  const ofWeb = await resourceSamples(client, 'shop', 'app=web', { resource: 'cpu', container: 'web' });
  assert.deepEqual(
    Array.from(ofWeb, ([name, { milli }]) => [name, milli]),
    [
      ['a', 250],
      ['b', 1000],
    ],
  );
  await assert.rejects(resourceSamples(client, 'shop', 'app=web', { resource: 'cpu', container: 'x' }), {
    message: 'container x not present in metrics for pod shop/a',
  });
});

test('a metric of pods, of an object, and of neither', async () => {
  const metric = { name: 'queue', selector: { matchLabels: { name: 'a' } } };
  const ingress = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' };
  const { client, asked } = clientOf({
    [CUSTOM]: {},
    [`${CUSTOM}/namespaces/shop/pods/*/queue?labelSelector=app%3Dweb&metricLabelSelector=name%3Da`]: {
      items: [{ describedObject: { name: 'a' }, timestamp: '2026-01-01T00:00:00Z', windowSeconds: 20, value: '1500m' }],
    },
    '/apis/networking.k8s.io/v1': { resources: [{ name: 'ingresses', kind: 'Ingress', namespaced: true }] },
    [`${CUSTOM}/namespaces/shop/ingresses.networking.k8s.io/front/queue?metricLabelSelector=name%3Da`]: {
      items: [{ value: '7' }],
    },
    [EXTERNAL]: { items: [{ value: '2' }, { value: '500m' }] },
  });
  const ofPods = await podSamples(client, 'shop', 'app=web', metric);
  assert.deepEqual(ofPods.get('a'), { milli: 1500, atMs: Date.parse('2026-01-01T00:00:00Z'), windowMs: 20_000 });
  assert.equal(asked[0], '/apis/custom.metrics.k8s.io/v1beta2', 'the newer version is asked for first');
  assert.equal(await objectValue(client, 'shop', ingress, metric), 7000);
  assert.equal(await externalValue(client, 'shop', metric), 2500);
});

test('what is not served is told in upstream’s words', async () => {
  const { client: nobody } = clientOf({});
  const { client: away } = clientOf({ [RESOURCE]: serviceUnavailable('no endpoints') });
  const { client: empty } = clientOf({ [RESOURCE]: { items: [] } });
  const fetch = 'unable to fetch metrics from resource metrics API';
  const CASES: [Client, string][] = [
    [nobody, `${fetch}: the server could not find the requested resource (get pods.metrics.k8s.io)`],
    [away, `${fetch}: the server is currently unable to handle the request (get pods.metrics.k8s.io)`],
    [empty, 'no metrics returned from resource metrics API'],
  ];
  for (const [client, message] of CASES) {
    await assert.rejects(resourceSamples(client, 'shop', 'app=web', ANY), { message });
  }
  await assert.rejects(podSamples(nobody, 'shop', '', { name: 'queue' }), {
    message:
      'unable to get metric queue: unable to fetch metrics from custom metrics API: ' +
      'no custom metrics API (custom.metrics.k8s.io) registered',
  });
});
