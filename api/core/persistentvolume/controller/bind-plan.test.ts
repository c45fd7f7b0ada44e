import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { StorageClass } from '../../../types/storage/v1.generated.ts';
import { type Action, boundStatus, type ClaimObserved, plan, withClaim, withVolume } from './bind-plan.ts';
import type { Claim, Volume } from './match.ts';

type Fields = Record<string, unknown>;
const COMPLETED = { 'pv.kubernetes.io/bind-completed': 'yes' };

const claim = (spec: Fields = {}, status: Fields = { phase: 'Pending' }, metadata: Fields = {}): Claim =>
  ({
    metadata: { name: 'c', namespace: 'n', uid: 'cu', ...metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 's',
      ...spec,
    },
    status,
  }) as unknown as Claim;
const volume = (name: string, spec: Fields = {}, phase = 'Available', metadata: Fields = {}): Volume =>
  ({
    metadata: { name, uid: `${name}u`, ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, storageClassName: 's', ...spec },
    status: { phase },
  }) as unknown as Volume;
const storageClass = (provisioner: string, volumeBindingMode = 'Immediate') =>
  ({ metadata: { name: 's' }, provisioner, volumeBindingMode }) as unknown as Live<StorageClass>;
const WAITS = storageClass('example.com/p', 'WaitForFirstConsumer');

function told(actions: readonly Action[]): string[] {
  return actions.map((action) => {
    switch (action.type) {
      case 'bind':
        return `bind ${action.volume.metadata.name}`;
      case 'tell':
        return `${action.event.type} ${action.event.reason}: ${action.event.message}`;
      case 'claim-phase':
        return action.phase;
      case 'volume-phase':
        return [action.phase, ...(action.message ? [action.message] : [])].join(': ');
      case 'class':
        return `class ${action.name}`;
      default:
        return action.type;
    }
  });
}

const ofClaim = (one: Claim, around: Partial<ClaimObserved> = {}) =>
  told(
    plan({
      ...{ claim: one, volume: undefined, volumes: [], storageClass: undefined, defaultClass: undefined },
      waitingPods: [],
      ...around,
    }).actions,
  );

test('which volume a claim gets', () => {
  const modes = ['ReadWriteOnce', 'ReadWriteMany'];
  const kept = { claimRef: { namespace: 'n', name: 'c' } };
  const cases: [string, Claim, Volume[], string | undefined][] = [
    [
      'the smallest',
      claim(),
      [volume('l', { capacity: { storage: '5Gi' } }), volume('m', { capacity: { storage: '2Gi' } })],
      'm',
    ],
    [
      'the fewest modes before the size',
      claim(),
      [volume('m', { accessModes: modes }), volume('l', { capacity: { storage: '5Gi' } })],
      'l',
    ],
    ['what is kept for it', claim(), [volume('a'), volume('k', { ...kept, capacity: { storage: '9Gi' } })], 'k'],
    [
      'not what is kept for its predecessor',
      claim(),
      [volume('k', { claimRef: { ...kept.claimRef, uid: 'old' } })],
      undefined,
    ],
    ['not too small', claim(), [volume('a', { capacity: { storage: '1023Mi' } })], undefined],
    ['not of another class', claim(), [volume('a', { storageClassName: 't' })], undefined],
    ['not with other modes', claim({ accessModes: ['ReadWriteMany'] }), [volume('a')], undefined],
    ['not a block device', claim(), [volume('a', { volumeMode: 'Block' })], undefined],
    ['not one that was another’s', claim(), [volume('a', {}, 'Released')], undefined],
    ['not one that goes', claim(), [volume('a', {}, 'Available', { deletionTimestamp: 'now' })], undefined],
    [
      'what it selects',
      claim({ selector: { matchLabels: { a: 'b' } } }),
      [volume('x'), volume('y', {}, 'Available', { labels: { a: 'b' } })],
      'y',
    ],
  ];
  for (const [what, one, volumes, wanted] of cases) {
    const around = { volumes, storageClass: storageClass('kubernetes.io/no-provisioner') };
    const [first = ''] = ofClaim(one, around);
    if (wanted) assert.equal(first, `bind ${wanted}`, what);
    else assert.match(first, /ProvisioningFailed: no volume plugin matched name: kubernetes.io\/no-provisioner/, what);
  }
});

test('a claim without a volume says what it waits for', () => {
  const selected = { annotations: { 'volume.kubernetes.io/selected-node': 'a' } };
  const asked = { annotations: { 'volume.kubernetes.io/storage-provisioner': 'example.com/p' } };
  const cases: [string, Claim, Partial<ClaimObserved>, RegExp[]][] = [
    ['no class', claim({ storageClassName: '' }), {}, [/^Normal FailedBinding: no persistent volumes available/]],
    ['no such class', claim(), {}, [/^Warning ProvisioningFailed: storageclass.storage.k8s.io "s" not found$/]],
    ['its consumer', claim(), { storageClass: WAITS, volumes: [volume('v')] }, [/^Normal WaitForFirstConsumer/]],
    ['its pods', claim(), { storageClass: WAITS, waitingPods: ['a', 'b'] }, [/waiting for pods a,b to be scheduled/]],
    [
      'a provisioner',
      claim({}, undefined, selected),
      { storageClass: WAITS },
      [/^ask$/, /ExternalProvisioning: .*'example.com\/p'/],
    ],
    [
      'one that knows',
      claim({}, undefined, asked),
      { storageClass: storageClass('example.com/p') },
      [/ExternalProvisioning/],
    ],
    [
      'what its scheduler kept',
      claim(),
      { storageClass: WAITS, volumes: [volume('v', { claimRef: { namespace: 'n', name: 'c', uid: 'cu' } })] },
      [/^bind v$/],
    ],
    ['a default class', claim({ storageClassName: undefined }), { defaultClass: 'd' }, [/^class d$/]],
    ['no default for who wants none', claim({ storageClassName: '' }), { defaultClass: 'd' }, [/FailedBinding/]],
    ['a volume to come', claim({ volumeName: 'v' }, {}), {}, [/^Pending$/]],
    [
      'a volume of another',
      claim({ volumeName: 'v' }),
      { volume: volume('v', { claimRef: { namespace: 'n', name: 'd' } }) },
      [/^Warning FailedBinding: volume "v" already bound to a different claim\.$/],
    ],
    [
      'a volume too small',
      claim({ volumeName: 'v' }),
      { volume: volume('v', { capacity: { storage: '1Mi' } }) },
      [/^Warning VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small$/],
    ],
    ['just its volume', claim({ volumeName: 'v' }), { volume: volume('v') }, [/^bind v$/]],
  ];
  for (const [what, one, around, wanted] of cases) {
    const actions = ofClaim(one, around);
    assert.equal(actions.length, wanted.length, `${what}: ${actions}`);
    wanted.forEach((pattern, i) => assert.match(actions[i] as string, pattern, what));
  }
});

test('a bound claim keeps its volume or is lost', () => {
  const bound = (status = 'Bound') => claim({ volumeName: 'v' }, { phase: status }, { annotations: COMPLETED });
  const own = volume('v', { claimRef: { namespace: 'n', name: 'c', uid: 'cu' } }, 'Bound');
  assert.deepEqual(ofClaim(bound(), { volume: own }), []);
  assert.deepEqual(ofClaim(bound('Pending'), { volume: own }), ['bind v'], 'the last step was not done');
  assert.deepEqual(ofClaim(bound(), { volume: volume('v') }), ['bind v'], 'the volume forgot');
  assert.match(ofClaim(bound()).join(), /^Lost,Warning ClaimLost: Bound claim has lost its PersistentVolume/);
  assert.deepEqual(ofClaim(bound('Lost')), []);
  const stolen = volume('v', { claimRef: { namespace: 'n', name: 'd', uid: 'du' } });
  assert.match(ofClaim(bound(), { volume: stolen }).join(), /^Lost,Warning ClaimMisbound/);
});

test('what becomes of a volume', () => {
  const ref = { claimRef: { namespace: 'n', name: 'c', uid: 'cu' } };
  const made = { annotations: { 'pv.kubernetes.io/provisioned-by': 'example.com/p' } };
  const remove = { ...ref, persistentVolumeReclaimPolicy: 'Delete' };
  const other = claim({ volumeName: 'w' });
  const cases: [string, Volume, Claim | undefined, string[]][] = [
    ['new', volume('v', {}, 'Pending'), undefined, ['Available']],
    ['kept by a user', volume('v', { claimRef: { namespace: 'n', name: 'c' } }, 'Pending'), undefined, ['Available']],
    ['half bound', volume('v', ref), claim(), []],
    ['bound', volume('v', ref), claim({ volumeName: 'v' }), ['Bound']],
    [
      'its claim is gone',
      volume('v', { ...ref, persistentVolumeReclaimPolicy: 'Retain' }, 'Bound'),
      undefined,
      ['Released'],
    ],
    [
      'for its provisioner',
      volume('v', { ...remove, hostPath: { path: '/x' } }, 'Bound', made),
      undefined,
      ['Released'],
    ],
    ['for its driver', volume('v', { ...remove, csi: {} }, 'Bound'), undefined, ['Released']],
    [
      'for nobody',
      volume('v', { ...remove, hostPath: { path: '/x' } }, 'Released'),
      undefined,
      [
        'Failed: host_path deleter only supports /tmp/.+ but received provided /x',
        'Warning VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received provided /x',
      ],
    ],
    ['failed once', volume('v', remove, 'Failed'), undefined, []],
    ['its claim has another', volume('v', ref, 'Bound'), other, ['unbind']],
    ['made, and not needed', volume('v', remove, 'Bound', made), other, ['Released']],
  ];
  for (const [what, one, of, wanted] of cases) {
    assert.deepEqual(told(plan({ volume: one, claim: of }).actions), wanted, what);
  }
});

test('what each side says of the other', () => {
  assert.equal(withClaim(volume('v'), claim()).metadata.annotations?.['pv.kubernetes.io/bound-by-controller'], 'yes');
  const kept = withClaim(volume('v', { claimRef: { namespace: 'n', name: 'c' } }), claim());
  assert.equal(kept.metadata.annotations, undefined);
  assert.equal(kept.spec?.claimRef?.uid, 'cu');
  assert.deepEqual(withVolume(claim({ volumeName: 'v' }), volume('v')).metadata.annotations, COMPLETED);
  const both = { ...COMPLETED, 'pv.kubernetes.io/bound-by-controller': 'yes' };
  assert.deepEqual(withVolume(claim(), volume('v')).metadata.annotations, both);
  const grown = claim({}, { phase: 'Bound', capacity: { storage: '3Gi' } });
  assert.equal(boundStatus(grown, volume('v')).capacity?.storage, '3Gi');
  assert.equal(boundStatus(claim(), volume('v')).capacity?.storage, '1Gi');
});
