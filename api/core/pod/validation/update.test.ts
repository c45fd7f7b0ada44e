import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod, PodSpec, Toleration } from '../../../types/core/v1.generated.ts';
import { defaultPod } from '../defaults.ts';
import { validatePodUpdate } from './update.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';
const container = (more: Partial<Container> = {}): Container => ({ name: 'a', image: 'app:1', ...more });
function pod(spec: Partial<PodSpec> = {}, annotations: Record<string, string> = {}): Pod {
  const made = { metadata: { name: 'x', annotations }, spec: { containers: [container()], ...spec } } as Pod;
  defaultPod(made);
  return made;
}
const toleration = (more: Partial<Toleration> = {}): Partial<PodSpec> => ({
  tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', ...more }],
});
const gated = (terms: readonly object[], more: Partial<PodSpec> = {}): Partial<PodSpec> => ({
  schedulingGates: [{ name: 'a.b/c' }],
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms as never } },
  },
  ...more,
});
const where = (key: string) => ({ matchExpressions: [{ key, operator: 'Exists' }] });
const TERMS = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';

/** Before, after, and the places of what is refused, in upstream's order. */
const CASES: readonly (readonly [string, Pod, Pod, readonly string[]])[] = [
  ['nothing', pod(), pod(), []],
  ['a deadline is set, and shortened', pod({ activeDeadlineSeconds: 9 }), pod({ activeDeadlineSeconds: 8 }), []],
  [
    'a deadline is put off, whatever else changes',
    pod({ activeDeadlineSeconds: 8 }),
    pod({ activeDeadlineSeconds: 9, hostname: 'h' }),
    ['spec.activeDeadlineSeconds'],
  ],
  [
    'a deadline in the past, which no new pod may have either',
    pod(),
    pod({ activeDeadlineSeconds: -1 }),
    ['spec.activeDeadlineSeconds', 'spec.activeDeadlineSeconds'],
  ],
  [
    'a deadline is lifted, and something else changes',
    pod({ activeDeadlineSeconds: 8 }),
    pod({ hostname: 'h' }),
    ['spec.activeDeadlineSeconds', 'spec'],
  ],
  ['a toleration lasts longer', pod(toleration()), pod(toleration({ tolerationSeconds: 9 })), []],
  [
    'a toleration is another one, and a gate is added',
    pod(toleration()),
    pod({ ...toleration({ key: 'l' }), schedulingGates: [{ name: 'a.b/c' }] }),
    ['spec.tolerations', 'spec.schedulingGates[0].name'],
  ],
  [
    'a toleration that is wrong is added',
    pod(),
    pod(toleration({ effect: 'Odd' })),
    ['spec.tolerations[0].effect', 'spec.tolerations[0].effect'],
  ],
  [
    'an image is emptied, and a command changes',
    pod(),
    pod({ containers: [container({ image: '', command: ['x'] })] }),
    ['spec.containers[0].image', 'spec.containers[0].image', 'spec'],
  ],
  ['while gates hold it, a term becomes narrower', pod(gated([where('a')])), pod(gated([narrower()])), []],
  ['not wider', pod(gated([narrower()])), pod(gated([where('a')])), [`${TERMS}[0]`]],
  ['a term that finds nothing stays so', pod(gated([{}])), pod(gated([where('a')])), [`${TERMS}[0]`]],
  ['and may be written anew', pod(gated([{}])), pod(gated([{}], { nodeSelector: { a: 'b' } })), []],
];

function narrower() {
  return { matchExpressions: [...where('a').matchExpressions, ...where('b').matchExpressions] };
}

for (const [name, was, now, wanted] of CASES) {
  test(name, () => {
    assert.deepEqual(
      validatePodUpdate(now, was).map(({ field }) => field),
      wanted,
    );
  });
}

test('annotations are looked at twice; a cost that was wrong before may stay so', () => {
  const errors = (now: string, was: string) =>
    validatePodUpdate(pod({}, { [COST]: now }), pod({}, { [COST]: was })).length;
  assert.deepEqual([errors('2', '1'), errors('x', '1'), errors('x', 'x'), errors('y', 'x')], [0, 2, 0, 0]);
});
