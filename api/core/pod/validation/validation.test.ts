import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path, textOf } from '../../../../libs/machinery/field-errors.ts';
import type { Container, Pod, PodSpec, Volume } from '../../../types/core/v1.generated.ts';
import { defaultPod } from '../defaults.ts';
import { podWarnings } from '../warnings.ts';
import { validatePod, validatePodTemplate } from './pod.ts';
import { validatePodUpdate } from './update.ts';

type Annotations = Record<string, string>;

const container = (more: Partial<Container> = {}): Container => ({ name: 'a', image: 'app:1', ...more });
function pod(annotations: Annotations = {}, spec: Partial<PodSpec> = {}, name = 'x'): Pod {
  const made = { metadata: { name, annotations }, spec: { containers: [container()], ...spec } } as Pod;
  defaultPod(made);
  return made;
}

const COST = 'controller.kubernetes.io/pod-deletion-cost';
const SECCOMP = 'seccomp.security.alpha.kubernetes.io/pod';
const ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const MIRROR = 'kubernetes.io/config.mirror';

/** What annotations say, and what is wrong with it below the annotations' place. */
const VALUES: readonly (readonly [Annotations, readonly string[]])[] = [
  [{ [COST]: '-10' }, []],
  [{ [COST]: '0' }, []],
  ...['+1', '01', '1.5', '', '2147483648'].map(
    (text) => [{ [COST]: text }, [`[${COST}]: Invalid value: "${text}": must be a 32bit integer`]] as const,
  ),
  [{ [SECCOMP]: 'runtime/default' }, []],
  [{ [SECCOMP]: 'localhost/a/b' }, []],
  [{ [SECCOMP]: 'odd' }, [`.${SECCOMP}: Invalid value: "odd": must be a valid seccomp profile`]],
  [{ [SECCOMP]: 'localhost/../a' }, [`.${SECCOMP}: Invalid value: "../a": must not contain '..'`]],
  [{ [`${ARMOR}b`]: 'unconfined' }, [`[${ARMOR}b]: Invalid value: "b": container not found`]],
  [{ [MIRROR]: 'm' }, [`[${MIRROR}]: Invalid value: "m": must set spec.nodeName if mirror pod annotation is set`]],
];

for (const [annotations, wanted] of VALUES) {
  test(`${JSON.stringify(annotations)} of a pod and of a template`, () => {
    const at = (place: string) => wanted.map((text) => `${place}${text}`);
    assert.deepEqual(validatePod(pod(annotations)).map(textOf), at('metadata.annotations'));
    const { metadata, spec } = pod(annotations);
    assert.deepEqual(
      validatePodTemplate({ metadata: metadata ?? {}, spec }, path('template')).map(textOf),
      at('template.annotations'),
    );
  });
}

test('profiles of containers and whose mirror a pod is cannot change', () => {
  const key = `${ARMOR}a`;
  const cases: [Annotations, Annotations, string[]][] = [
    [{ [key]: 'unconfined' }, { [key]: 'unconfined', other: 'x' }, []],
    [{ [key]: 'unconfined' }, {}, [`[${key}]: Forbidden: may not remove or update AppArmor annotations`]],
    [{}, { [key]: 'unconfined' }, [`[${key}]: Forbidden: may not add AppArmor annotations`]],
    [{}, { [MIRROR]: 'm' }, [`[${MIRROR}]: Forbidden: may not add mirror pod annotation`]],
    [{ [MIRROR]: 'm' }, { [MIRROR]: 'n' }, [`[${MIRROR}]: Forbidden: may not remove or update mirror pod annotation`]],
  ];
  for (const [was, now, wanted] of cases) {
    const errors = validatePodUpdate(pod(now, { nodeName: 'n' }), pod(was, { nodeName: 'n' }));
    assert.deepEqual(
      errors.map(textOf),
      wanted.map((text) => `metadata.annotations${text}`),
    );
  }
});

test('an image that is emptied is missed twice', () => {
  const errors = validatePodUpdate(pod({}, { containers: [container({ image: '' })] }), pod());
  const text = 'spec.containers[0].image: Required value';
  assert.deepEqual(errors.map(textOf), [text, text]);
});

test('names of what is made for a pod hold together with the pod’s', () => {
  const long = 'a'.repeat(250);
  const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
  const made = pod(
    {},
    {
      volumes: [{ name: 'data', ephemeral: { volumeClaimTemplate: claim } }] as Volume[],
      resourceClaims: [
        { name: 'gpu', resourceClaimTemplateName: 't' },
        { name: 'other', resourceClaimName: 'c' },
      ],
    },
    long,
  );
  assert.deepEqual(validatePod(made).map(textOf), [
    `spec.volumes[0].name: Invalid value: "data": PVC name "${long}-data": must be no more than 253 characters`,
    `spec.resourceClaims[0].name: Invalid value: "${long}-gpu": final ResourceClaim name: must be no more than 253 characters`,
  ]);
});

test('claims within pods are checked as claims are', () => {
  const template = {
    metadata: { name: 'n', uid: 'u', annotations: { 'bad key': '' } },
    spec: { storageClassName: 'Bad_', volumeMode: 'Odd', accessModes: ['ReadWriteOncePod', 'ReadWriteMany'] },
  };
  const errors = validatePod(
    pod({}, { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: template } }] as unknown as Volume[] }),
  );
  const at = 'spec.volumes[0].ephemeral.volumeClaimTemplate';
  const places = errors.map(({ field, type }) => `${String(field).slice(at.length + 1)} ${type}`);
  assert.deepEqual(places, [
    'metadata.annotations FieldValueInvalid',
    'metadata.name FieldValueForbidden',
    'metadata.uID FieldValueForbidden',
    'spec.accessModes FieldValueForbidden',
    'spec.resources[storage] FieldValueRequired',
    'spec.storageClassName FieldValueInvalid',
    'spec.volumeMode FieldValueNotSupported',
  ]);
});

test('files of several sources that are in each other’s way', () => {
  const field = (path: string) => ({ path, fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } });
  const volumes = [
    {
      name: 'p',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
          { downwardAPI: { items: [field('token'), field('other')] } },
          { configMap: { name: 'c', items: [{ key: 'k', path: 'other/deep' }] } },
        ],
      },
    },
  ];
  const made = pod({}, { volumes });
  assert.deepEqual(validatePod(made), []);
  assert.deepEqual(podWarnings(made), [
    'volume "p" (Projected): overlapping paths: "token" (DownwardAPI) with "token" (ServiceAccountToken)',
    'volume "p" (Projected): overlapping paths: "other/deep" (ConfigMap "c") with "other" (DownwardAPI)',
  ]);
});

test('where a pod that is held back may run becomes narrower, never another place', () => {
  const expression = (key: string) => ({ key, operator: 'Exists' });
  const held = (...terms: string[][]) =>
    pod(
      {},
      {
        schedulingGates: [{ name: 'example.com/hold' }],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: terms.map((keys) => ({ matchExpressions: keys.map(expression) })),
            },
          },
        },
      },
    );
  const at = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  const shown = '{"MatchExpressions":[{"Key":"b","Operator":"Exists","Values":null}],"MatchFields":null}';
  const cases: [string[][], string[][], string[]][] = [
    [[['a']], [['a', 'b']], []],
    [[['a']], [['b']], [`${at}[0]: Invalid value: ${shown}: only additions are allowed (no mutations or deletions)`]],
    [
      [['a'], ['b']],
      [['b']],
      [`${at}: Invalid value: [${shown}]: no additions/deletions to non-empty NodeSelectorTerms list are allowed`],
    ],
  ];
  for (const [was, now, wanted] of cases) {
    assert.deepEqual(validatePodUpdate(held(...now), held(...was)).map(textOf), wanted);
  }
});
