import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestContext } from '../../libs/kind/request.ts';
import type { Strategy } from '../../libs/kind/strategy.ts';
import { textOf } from '../../libs/machinery/field-errors.ts';
import { statusStrategy as volumeStatus, strategy as volumes } from '../core/persistentvolume/strategy.ts';
import { strategy as claims } from '../core/persistentvolumeclaim/strategy.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../types/core/v1.generated.ts';
import type { StorageClass, VolumeAttachment } from '../types/storage/v1.generated.ts';
import { strategy as classes } from './storageclass/strategy.ts';
import { strategy as attachments } from './volumeattachment/strategy.ts';

const ctx = { nowMs: Date.parse('2026-01-02T03:04:05Z') } as RequestContext;

/** Errors of creating `object`, defaulted and prepared as the engine does. */
function errorsOf<T extends object>(strategy: Strategy<T>, object: T): string[] {
  const draft = structuredClone(object);
  strategy.defaults?.(draft);
  strategy.prepareForCreate?.(ctx, draft);
  return (strategy.validate?.(draft as never, ctx) ?? []).map(textOf);
}

const volume = (spec: object): PersistentVolume => ({
  metadata: { name: 'v' },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' }, ...spec },
});

describe('volumes', () => {
  test('are kept, mounted as file systems and pending at first', () => {
    const draft = volume({});
    volumes.defaults?.(draft);
    volumes.prepareForCreate?.(ctx, draft);
    assert.deepEqual([draft.spec?.persistentVolumeReclaimPolicy, draft.spec?.volumeMode], ['Retain', 'Filesystem']);
    assert.deepEqual(draft.status, { phase: 'Pending', lastPhaseTransitionTime: '2026-01-02T03:04:05Z' });
  });

  const cases: [string, object, string[]][] = [
    [
      'two sources',
      { nfs: { server: 's', path: '/p' } },
      ['spec.nfs: Forbidden: may not specify more than 1 volume type'],
    ],
    ['no source', { hostPath: undefined }, ['spec: Required value: must specify a volume type']],
    [
      'a way out',
      { hostPath: { path: '/a/../b' } },
      [`spec.hostPath.path: Invalid value: "/a/../b": must not contain '..'`],
    ],
    [
      'a local disk of no node',
      { hostPath: undefined, local: { path: '/x' } },
      ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
    [
      'recycling the root',
      { hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' },
      ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    ],
  ];
  for (const [what, spec, wanted] of cases) test(what, () => assert.deepEqual(errorsOf(volumes, volume(spec)), wanted));

  test('a source is fixed, and the message shows what changed', () => {
    const [draft, old] = [
      volume({ hostPath: { path: '/other', type: '' } }),
      volume({ hostPath: { path: '/data', type: '' } }),
    ];
    const [error = ''] = (volumes.validateUpdate?.(draft as never, old as never, ctx) ?? []).map(textOf);
    assert.match(error, /immutable after creation\n@@ -2,7 \+2,7 @@\n {2}"GCEPersistentDisk": null,/);
    assert.match(error, /\n- {2}"Path": "\/data",\n\+ {2}"Path": "\/other",\n/);
  });

  test('a new phase tells since when', () => {
    const old = { ...volume({}), status: { phase: 'Pending', lastPhaseTransitionTime: '2025-01-01T00:00:00Z' } };
    const draft = structuredClone(old);
    draft.status.phase = 'Bound';
    volumeStatus.prepareForUpdate?.(ctx, draft, old);
    assert.equal(draft.status.lastPhaseTransitionTime, '2026-01-02T03:04:05Z');
  });
});

describe('claims', () => {
  const claim = (spec: object, status: object = {}): PersistentVolumeClaim => ({
    metadata: { name: 'c', namespace: 'n' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '2Gi' } },
      volumeMode: 'Filesystem',
      ...spec,
    },
    status,
  });
  const size = (storage: string) => ({ resources: { requests: { storage } } });
  const updateErrors = (draft: PersistentVolumeClaim, old: PersistentVolumeClaim) =>
    (claims.validateUpdate?.(draft as never, old as never, ctx) ?? []).map((error) => textOf(error).split('\n')[0]);

  test('grow when bound, and only then', () => {
    const bound = { phase: 'Bound', capacity: { storage: '2Gi' } };
    assert.deepEqual(updateErrors(claim(size('3Gi'), bound), claim({}, bound)), []);
    assert.match(updateErrors(claim(size('3Gi')), claim({}))[0] ?? '', /^spec: Forbidden: spec is immutable/);
    assert.deepEqual(updateErrors(claim(size('2048Mi')), claim({})), [], 'the same size in other words');
  });
  test('shrink no further than what they have', () => {
    const bound = { phase: 'Bound', capacity: { storage: '2Gi' } };
    const grown = claim(size('9Gi'), bound);
    assert.deepEqual(updateErrors(claim(size('5Gi'), bound), grown), []);
    assert.deepEqual(updateErrors(claim(size('2Gi'), bound), grown), [
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    ]);
  });
  test('the old field for a source drops in silence what it cannot hold', () => {
    const odd = claim({ dataSource: { apiGroup: 'example.com', kind: 'Odd', name: 's' } });
    claims.prepareForCreate?.(ctx, odd);
    assert.equal(odd.spec?.dataSource, undefined);
    const snapshot = claim({ dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 's' } });
    claims.prepareForCreate?.(ctx, snapshot);
    assert.deepEqual(snapshot.spec?.dataSourceRef, snapshot.spec?.dataSource);
  });
});

test('classes: topologies name each value, key and term once', () => {
  const term = (values: string[]) => ({ matchLabelExpressions: [{ key: 'zone', values }] });
  const storageClass: StorageClass = {
    metadata: { name: 'c' },
    provisioner: 'p',
    allowedTopologies: [term(['a', 'a']), term(['a'])],
  };
  assert.deepEqual(errorsOf(classes, storageClass), [
    'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
    'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""',
  ]);
});

test('attachments are of one volume', () => {
  const attachment = (source: object): VolumeAttachment => ({
    metadata: { name: 'a' },
    spec: { attacher: 'd.example.com', nodeName: 'n', source },
  });
  assert.deepEqual(errorsOf(attachments, attachment({ persistentVolumeName: 'v' })), []);
  assert.deepEqual(errorsOf(attachments, attachment({})), [
    'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
  ]);
});
