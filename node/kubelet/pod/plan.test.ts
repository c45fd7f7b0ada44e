import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, PodSpec } from '../../../api/types/core/v1.generated.ts';
import type { NodePod } from './objects.ts';
import { planPod, terminationOrder } from './plan.ts';
import { newMemory, type ObservedContainer, type ObservedSandbox, type PodMemory } from './state.ts';

const NOW = 1_000_000;

const pod = (spec: Partial<PodSpec>, status: NodePod['status'] = {}): NodePod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'main', image: 'x' }], ...spec },
  status,
});
const init = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'x', ...more });
const sidecar = (name: string, more: Partial<Container> = {}) => init(name, { restartPolicy: 'Always', ...more });
const sandbox = (more: Partial<ObservedSandbox> = {}): ObservedSandbox => ({
  id: 's0',
  attempt: 0,
  ready: true,
  createdMs: NOW - 5_000,
  ips: ['10.0.0.1'],
  ...more,
});
const container = (name: string, more: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: `${name}-${more.restartCount ?? 0}`,
  name,
  restartCount: 0,
  state: 'running',
  sandboxId: 's0',
  createdMs: NOW - 4_000,
  startedMs: NOW - 4_000,
  finishedMs: 0,
  exitCode: 0,
  reason: '',
  message: '',
  image: 'x',
  imageId: 'x',
  hash: 'h',
  annotations: {},
  logPath: '',
  ...more,
});
const ended = (name: string, exitCode: number, more: Partial<ObservedContainer> = {}) =>
  container(name, { state: 'exited', exitCode, finishedMs: NOW - 1_000, ...more });

const RESTARTS_ALL = init('a', {
  restartPolicy: 'Never',
  restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }],
});

interface Case {
  readonly spec?: Partial<PodSpec>;
  readonly status?: NodePod['status'];
  readonly sandboxes?: ObservedSandbox[];
  readonly containers?: ObservedContainer[];
  readonly memory?: (memory: PodMemory) => void;
  /** `type name` of each action, then `again in …` and the end, where there is one. */
  readonly expect: string[];
}

function planned({ spec = {}, status, sandboxes = [sandbox()], containers = [], memory: prepare }: Case): string[] {
  const memory = newMemory(0);
  prepare?.(memory);
  const plan = planPod({
    pod: pod(spec, status),
    observed: { sandboxes, containers },
    memory,
    nowMs: NOW,
    monotonicMs: NOW,
    hashOf: () => 'h',
  });
  const out = plan.actions.map((action) => {
    if ('container' in action) return `${action.type} ${action.container.id}`;
    if (action.type === 'startContainer') return `start ${action.name} ${action.restartCount}`;
    return action.type === 'createSandbox' ? `createSandbox ${action.attempt}` : action.type;
  });
  if (plan.againAtMs !== undefined) out.push(`again in ${plan.againAtMs - NOW}`);
  if (plan.finished) out.push(plan.finished.phase);
  return out;
}

const CASES: Record<string, Case> = {
  'a new pod gets a sandbox': { sandboxes: [], expect: ['createSandbox 0'] },
  'then its container': { expect: ['start main 0'] },
  'what runs is left alone': { containers: [container('main')], expect: [] },
  'all containers start together': {
    spec: { containers: [init('a'), init('b')] },
    expect: ['start a 0', 'start b 0'],
  },
  'a sandbox that died takes its containers with it': {
    sandboxes: [sandbox({ ready: false })],
    containers: [container('main')],
    expect: ['stopSandbox', 'createSandbox 1'],
  },
  'a sandbox whose pod must not run twice is not made anew': {
    spec: { restartPolicy: 'Never' },
    sandboxes: [sandbox({ ready: false })],
    containers: [ended('main', 255)],
    expect: ['Failed'],
  },
  'a container of an earlier sandbox counts as a restart': {
    sandboxes: [sandbox({ id: 's1', attempt: 1 }), sandbox({ ready: false })],
    containers: [ended('main', 255)],
    expect: ['start main 1'],
  },
  'a failed sandbox is waited for': {
    sandboxes: [],
    memory: (memory) => (memory.sandboxFailure = { untilMs: NOW + 500, failures: 1 }),
    expect: ['again in 500'],
  },
  'the first restart comes at once': { containers: [ended('main', 1)], expect: ['start main 1'] },
  'the next one waits, and is told once': {
    containers: [ended('main', 1, { restartCount: 1 })],
    memory: (memory) => {
      memory.backoffs.set('main', { delayMs: 10_000, updatedMs: NOW - 3_000 });
      memory.endedMs.set('main-1', NOW - 1_000);
    },
    expect: ['tellBackOff main-1', 'again in 9000'],
  },
  'after its delay it starts': {
    containers: [ended('main', 1, { restartCount: 1 })],
    memory: (memory) => {
      memory.backoffs.set('main', { delayMs: 10_000, updatedMs: NOW - 30_000 });
      memory.endedMs.set('main-1', NOW - 10_000);
    },
    expect: ['start main 2'],
  },
  'who ran for long is not held back': {
    containers: [ended('main', 1, { restartCount: 9 })],
    memory: (memory) => {
      memory.backoffs.set('main', { delayMs: 300_000, updatedMs: NOW - 700_000 });
      memory.endedMs.set('main-9', NOW - 10);
    },
    expect: ['start main 10'],
  },
  'a success under Always runs again': { containers: [ended('main', 0)], expect: ['start main 1'] },
  'a success under OnFailure is the end': {
    spec: { restartPolicy: 'OnFailure' },
    containers: [ended('main', 0)],
    expect: ['Succeeded'],
  },
  'the end waits for all': {
    spec: { restartPolicy: 'Never', containers: [init('a'), init('b')] },
    containers: [ended('a', 1), container('b')],
    expect: [],
  },
  'one failure makes a failed pod': {
    spec: { restartPolicy: 'Never', containers: [init('a'), init('b')] },
    containers: [ended('a', 1), ended('b', 0)],
    expect: ['Failed'],
  },
  'a rule may restart what the policy would not': {
    spec: {
      restartPolicy: 'Never',
      containers: [
        init('a', { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] }),
      ],
    },
    containers: [ended('a', 42)],
    expect: ['start a 1'],
  },
  'a rule may restart all: first all are ended': {
    spec: { initContainers: [init('i'), sidecar('s')], containers: [init('main'), RESTARTS_ALL] },
    containers: [ended('i', 0), container('s'), container('main'), ended('a', 42)],
    expect: ['killContainer s-0', 'killContainer main-0'],
  },
  'then those are removed whose end it was not': {
    spec: { initContainers: [init('i')], containers: [init('main'), RESTARTS_ALL], restartPolicy: 'Never' },
    containers: [ended('i', 0), ended('main', 137), ended('a', 42)],
    expect: ['removeContainer i-0', 'removeContainer main-0'],
  },
  'then the one that made it so': {
    spec: { containers: [init('main'), RESTARTS_ALL], restartPolicy: 'Never' },
    containers: [ended('a', 42)],
    expect: ['removeContainer a-0'],
  },
  'then all begin anew, and count it': {
    spec: { initContainers: [init('i')], containers: [init('main'), RESTARTS_ALL], restartPolicy: 'Never' },
    memory: (memory) => memory.resets.set('i', { container: ended('i', 0), source: false }),
    expect: ['start i 1'],
  },
  'and who made it so again waits': {
    spec: { containers: [init('main'), RESTARTS_ALL], restartPolicy: 'Never' },
    memory: (memory) => {
      memory.resets.set('a', { container: ended('a', 42, { restartCount: 1 }), source: true });
      memory.backoffs.set('a', { delayMs: 10_000, updatedMs: NOW - 3_000 });
      memory.endedMs.set('a-1', NOW - 1_000);
    },
    expect: ['start main 0', 'tellBackOff a-1', 'again in 9000'],
  },
  'another exit code does what the policy says': {
    spec: { containers: [init('main'), RESTARTS_ALL], restartPolicy: 'Never' },
    containers: [container('main'), ended('a', 1)],
    expect: [],
  },
  'init containers come first, one by one': {
    spec: { initContainers: [init('i1'), init('i2')] },
    containers: [ended('i1', 0)],
    expect: ['start i2 0'],
  },
  'while one runs nothing else does': {
    spec: { initContainers: [init('i1')] },
    containers: [container('i1')],
    expect: [],
  },
  'one that fails for good fails the pod': {
    spec: { restartPolicy: 'Never', initContainers: [init('i1')] },
    containers: [ended('i1', 1)],
    expect: ['Failed'],
  },
  'a sidecar that has not started holds the others': {
    spec: { initContainers: [sidecar('s', { startupProbe: {} })] },
    containers: [container('s')],
    expect: [],
  },
  'a sidecar that has started lets them go': {
    spec: { initContainers: [sidecar('s', { startupProbe: {} })] },
    containers: [container('s')],
    memory: (memory) => memory.probes.set('s-0', { startup: true }),
    expect: ['start main 0'],
  },
  'a sidecar that ends comes back beside the others': {
    spec: { initContainers: [sidecar('s')] },
    containers: [container('main'), ended('s', 0)],
    expect: ['start s 1'],
  },
  'ephemeral containers start once and never again': {
    spec: { ephemeralContainers: [init('debug'), init('over')] },
    containers: [container('main'), ended('over', 1)],
    expect: ['start debug 0'],
  },
  'a failed liveness probe ends the container': {
    containers: [container('main')],
    memory: (memory) => memory.probes.set('main-0', { liveness: false }),
    expect: ['killContainer main-0'],
  },
  'another image ends it too': { containers: [container('main', { hash: 'other' })], expect: ['killContainer main-0'] },
  'what was made and never started is made anew': {
    containers: [container('main', { state: 'created' })],
    expect: ['removeContainer main-0', 'start main 1'],
  },
  'of dead ones the newest is kept': {
    containers: [
      container('main', { restartCount: 3 }),
      ended('main', 1, { restartCount: 2 }),
      ended('main', 1, { restartCount: 1 }),
      ended('main', 1, { restartCount: 0 }),
    ],
    expect: ['removeContainer main-1', 'removeContainer main-0'],
  },
  'a failed pull is waited for, and called a back-off after a while': {
    memory: (memory) =>
      memory.failures.set('main', { reason: 'ErrImagePull', message: '', untilMs: NOW + 9_000, backOffFromMs: NOW }),
    expect: ['tellImageBackOff', 'again in 9000'],
  },
  'a deadline is the end': {
    spec: { activeDeadlineSeconds: 60 },
    status: { startTime: new Date(NOW - 60_000).toISOString() },
    containers: [container('main')],
    expect: ['Failed'],
  },
  'a deadline ahead is looked at again': {
    spec: { activeDeadlineSeconds: 60 },
    status: { startTime: new Date(NOW - 50_000).toISOString() },
    containers: [container('main')],
    expect: ['again in 10000'],
  },
  'what has ended stays so': { status: { phase: 'Succeeded' }, sandboxes: [], expect: ['Succeeded'] },
};

for (const [name, one] of Object.entries(CASES)) test(name, () => assert.deepEqual(planned(one), one.expect));

test('sidecars end after the others, the last one first', () => {
  const spec = { initContainers: [sidecar('s1'), sidecar('s2')] };
  const containers = [container('s1'), container('s2'), container('main'), ended('old', 0)];
  const order = terminationOrder(pod(spec), { sandboxes: [], containers });
  assert.deepEqual(
    order.map((group) => group.map(({ name }) => name)),
    [['main'], ['s2'], ['s1']],
  );
});
