import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../../../tests/fixtures/api-server.ts';

const PODS = '/api/v1/namespaces/default/pods';
const GUARANTEED = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } };
const BURSTABLE = { requests: { cpu: '1' } };

const quantities = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
const resized = (resources: object) => ({ spec: { containers: [{ name: 'a', resources }] } });

for (const [what, { features, node = 'declares', resources = GUARANTEED, pod = {}, patch }, refusal] of [
  ['a node that declares it', { features: ['GuaranteedQoSPodCPUResize'], patch: resized(quantities('2', '1Gi')) }, ''],
  [
    'a node that does not',
    { features: ['Another'], patch: resized(quantities('2', '1Gi')) },
    'pods "p" is forbidden: pod update requires features GuaranteedQoSPodCPUResize which are not available on node "declares"',
  ],
  [
    'a node that is not there',
    { features: [], node: 'gone', patch: resized(quantities('2', '1Gi')) },
    'pods "p" is forbidden: node "gone" not found',
  ],
  ['the same CPU, written in another way', { features: [], patch: resized(quantities('1000m', '1Gi')) }, ''],
  ['memory alone', { features: [], patch: resized(quantities('1', '2Gi')) }, ''],
  ['a pod of another class', { features: [], resources: BURSTABLE, patch: resized({ requests: { cpu: '2' } }) }, ''],
  ['a pod without a node', { features: [], node: '', patch: resized(quantities('2', '1Gi')) }, ''],
  [
    "the pod's own resources",
    {
      features: ['GuaranteedQoSPodCPUResize'],
      pod: { resources: quantities('2', '2Gi') },
      patch: { spec: { resources: quantities('3', '2Gi') } },
    },
    'pods "p" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "declares"',
  ],
] as readonly [
  string,
  { features: string[]; node?: string; resources?: object; pod?: object; patch: object },
  string,
][]) {
  test(`a resize on ${what}: ${refusal || 'taken'}`, async () => {
    await using server = await startTestServer();
    await server.send('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    await server.send('POST', '/api/v1/nodes', { metadata: { name: 'declares' } });
    await server.send('PATCH', '/api/v1/nodes/declares/status', { status: { declaredFeatures: features } });
    const spec = { ...pod, ...(node && { nodeName: node }), containers: [{ name: 'a', image: 'i', resources }] };
    const made = await server.send('POST', PODS, { metadata: { name: 'p' }, spec });
    assert.equal(made.code, 201, made.body.message);
    // A merge patch replaces the whole list of containers.
    const sent = structuredClone(patch) as { spec: { containers?: { image?: string }[] } };
    for (const container of sent.spec.containers ?? []) container.image = 'i';
    const { code, body } = await server.send('PATCH', `${PODS}/p/resize`, sent);
    assert.deepEqual([code, code === 200 ? '' : body.message], refusal === '' ? [200, ''] : [403, refusal]);
  });
}
