import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolume, Pod } from '../../../api/types/core/v1.generated.ts';
import type { RequestAttributes } from '../../../libs/kind/request.ts';
import { NodeAuthorizer, namesOf } from './node.ts';

const pod = {
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    nodeName: 'a',
    serviceAccountName: 'web',
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'v', secret: { secretName: 'mounted' } },
      { name: 'p', projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'settings' } }] } },
      { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
      { name: 's', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      { name: 'c', csi: { driver: 'x', nodePublishSecretRef: { name: 'published' } } },
    ],
    containers: [
      {
        name: 'c',
        envFrom: [{ secretRef: { name: 'env' } }],
        env: [
          { name: 'X', value: '"secretRef": {"name": "text"}' },
          { name: 'Y', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } },
        ],
      },
    ],
  },
} as unknown as Pod;
const volume = {
  metadata: { name: 'disk' },
  spec: {
    claimRef: { name: 'data' },
    csi: {
      driver: 'x',
      nodeStageSecretRef: { name: 'staged', namespace: 'storage' },
      controllerExpandSecretRef: { name: 'expand', namespace: 'storage' },
    },
  },
} as unknown as PersistentVolume;

const authorizer = new NodeAuthorizer({
  podsOn: (node) => (node === 'a' ? [pod] : []),
  pod: (namespace, name) => (`${namespace}/${name}` === 'shop/web' ? pod : undefined),
  volumeOf: (namespace, claim) => (`${namespace}/${claim}` === 'shop/data' ? 'disk' : undefined),
  volume: (name) => (name === 'disk' ? volume : undefined),
  attachmentNode: (name) => (name === 'attached' ? 'a' : undefined),
});

describe('what a node may do', () => {
  const rows: [verb: string, resource: string, name: string, more: Partial<RequestAttributes>, allowed: boolean][] = [
    ['get', 'secrets', 'mounted', {}, true],
    ['watch', 'secrets', 'projected', {}, true],
    ['get', 'secrets', 'pull', {}, true],
    ['get', 'secrets', 'published', {}, true],
    ['get', 'secrets', 'key', {}, true],
    ['get', 'secrets', 'env', {}, true],
    ['get', 'secrets', 'text', {}, false],
    ['get', 'secrets', 'mounted', { namespace: 'other' }, false],
    ['get', 'secrets', 'staged', { namespace: 'storage' }, true],
    ['get', 'secrets', 'staged', {}, false],
    ['delete', 'secrets', 'mounted', {}, false],
    ['list', 'secrets', '', {}, false],
    ['get', 'configmaps', 'settings', {}, true],
    ['get', 'configmaps', 'mounted', {}, false],
    ['get', 'persistentvolumeclaims', 'data', {}, true],
    ['get', 'persistentvolumeclaims', 'web-s', {}, true],
    ['get', 'persistentvolumes', 'disk', { namespace: '' }, true],
    ['get', 'persistentvolumes', 'other', { namespace: '' }, false],
    ['create', 'serviceaccounts', 'web', { subresource: 'token' }, true],
    ['create', 'serviceaccounts', 'default', { subresource: 'token' }, false],
    ['get', 'volumeattachments', 'attached', { group: 'storage.k8s.io', namespace: '' }, true],
    ['list', 'pods', '', { namespace: '', fieldSelector: 'spec.nodeName=a' }, true],
    ['list', 'pods', '', { namespace: '' }, false],
    ['get', 'nodes', 'a', { namespace: '' }, true],
    ['get', 'nodes', 'b', { namespace: '' }, false],
  ];
  for (const [verb, resource, name, more, allowed] of rows) {
    it(`${verb} ${resource} ${name} ${JSON.stringify(more)}: ${allowed}`, () => {
      const attributes: RequestAttributes = {
        verb,
        isResourceRequest: true,
        path: '',
        group: '',
        version: 'v1',
        resource,
        subresource: '',
        namespace: 'shop',
        name,
        ...more,
      };
      const node = (name: string) => ({ name: `system:node:${name}`, groups: ['system:nodes'], extra: {} });
      assert.equal(authorizer.authorize(node('a'), attributes).decision, allowed ? 'allow' : 'none');
      if (resource !== 'pods') assert.equal(authorizer.authorize(node('z'), attributes).decision, 'none');
    });
  }

  it('names only what is referred to', () =>
    assert.deepEqual(namesOf(pod, 'secrets').toSorted(), ['env', 'key', 'mounted', 'projected', 'published', 'pull']));
});
