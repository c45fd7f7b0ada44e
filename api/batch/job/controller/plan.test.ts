import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Job, JobSpec, JobStatus } from '../../../types/batch/v1.generated.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { type Action, plan, TRACKING } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');

const job = (spec: Partial<JobSpec>, status: JobStatus = {}): Live<Job> =>
  ({
    metadata: { name: 'j', namespace: 'n', uid: 'job', resourceVersion: '1', creationTimestamp: ago(600) },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      template: { spec: { containers: [], restartPolicy: 'Never' } },
      ...spec,
    },
    status: { startTime: ago(600), ...status },
  }) as unknown as Live<Job>;

interface PodShape {
  phase?: string;
  index?: number;
  ready?: boolean;
  deleting?: boolean;
  tracked?: boolean;
  failures?: number;
  exitCode?: number;
  endedS?: number;
  restarts?: number;
  conditions?: object[];
}

const pod = (name: string, shape: PodShape = {}): Live<Pod> => {
  const {
    phase = 'Running',
    index,
    ready,
    deleting,
    tracked = true,
    failures,
    exitCode,
    endedS = 3600,
    restarts = 0,
  } = shape;
  const annotations = {
    ...(index === undefined ? {} : { 'batch.kubernetes.io/job-completion-index': String(index) }),
    ...(failures === undefined ? {} : { 'batch.kubernetes.io/job-index-failure-count': String(failures) }),
  };
  const ended = exitCode === undefined ? {} : { state: { terminated: { exitCode, finishedAt: ago(endedS) } } };
  return {
    metadata: {
      name,
      namespace: 'n',
      uid: name,
      creationTimestamp: ago(endedS),
      annotations,
      ...(tracked ? { finalizers: [TRACKING] } : {}),
      ...(deleting ? { deletionTimestamp: ago(endedS) } : {}),
    },
    spec: { containers: [] },
    status: {
      phase,
      containerStatuses: [{ name: 'a', restartCount: restarts, ...ended }],
      conditions: [...(ready ? [{ type: 'Ready', status: 'True' }] : []), ...(shape.conditions ?? [])],
    },
  } as unknown as Live<Pod>;
};

const failed = (name: string, shape: PodShape = {}) => pod(name, { phase: 'Failed', exitCode: 1, ...shape });
const succeeded = (name: string, shape: PodShape = {}) => pod(name, { phase: 'Succeeded', exitCode: 0, ...shape });

/** Actions in short: `create 0,1`, `delete a (uncounted)`, `status failed=1 Failed:BackoffLimitExceeded`. */
function told(action: Action): string {
  switch (action.type) {
    case 'create':
      return `create ${action.pods.map(({ index, after }) => `${index ?? '*'}${after ? ` after ${after.metadata.name}` : ''}`)}`;
    case 'delete':
      return `delete ${action.pods.map(({ metadata }) => metadata.name)}${action.counts ? '' : ' (uncounted)'}`;
    case 'release':
      return `release ${action.pods.map(({ metadata }) => metadata.name)}`;
    case 'claim':
      return 'claim';
    case 'status': {
      const {
        active,
        succeeded: good,
        failed: bad,
        completedIndexes,
        failedIndexes,
        uncountedTerminatedPods,
      } = action.status;
      const counts = { active, succeeded: good, failed: bad, completedIndexes, failedIndexes };
      const waiting = [...(uncountedTerminatedPods?.succeeded ?? []), ...(uncountedTerminatedPods?.failed ?? [])];
      return [
        'status',
        ...Object.entries(counts).flatMap(([name, value]) =>
          value === undefined || value === '' ? [] : [`${name}=${value}`],
        ),
        ...(waiting.length > 0 ? [`noted=${waiting}`] : []),
        ...(action.status.conditions ?? []).map(
          ({ type, status, reason }) => `${type}${status === 'True' ? '' : '?'}:${reason}`,
        ),
      ].join(' ');
    }
  }
}

interface Case {
  readonly name: string;
  readonly spec?: Partial<JobSpec>;
  readonly status?: JobStatus;
  readonly pods?: readonly Live<Pod>[];
  readonly does: readonly string[];
  readonly againAfterS?: number;
}

const indexed: Partial<JobSpec> = { completionMode: 'Indexed', completions: 3, parallelism: 3 };
const exitRule = (action: string, values: number[]) => ({
  podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values } }] },
});

const cases: Case[] = [
  { name: 'its first pod', does: ['create *', 'status active=1'] },
  {
    name: 'as many as may run at once',
    spec: { completions: 5, parallelism: 3 },
    does: ['create *,*,*', 'status active=3'],
  },
  {
    name: 'no more than are missing',
    spec: { completions: 3, parallelism: 3 },
    status: { succeeded: 2 },
    does: ['create *', 'status active=1 succeeded=2'],
  },
  {
    name: 'what succeeded is noted first',
    pods: [succeeded('a')],
    does: ['status noted=a SuccessCriteriaMet:CompletionsReached'],
  },
  {
    name: 'and then counted, which is the end',
    status: {
      uncountedTerminatedPods: { succeeded: ['a'] },
      conditions: [{ type: 'SuccessCriteriaMet', status: 'True', reason: 'CompletionsReached' }],
    },
    pods: [succeeded('a')],
    does: ['release a', 'status succeeded=1 SuccessCriteriaMet:CompletionsReached Complete:CompletionsReached'],
  },
  {
    name: 'without completions it is done when one succeeded and none runs',
    spec: { completions: undefined as never, parallelism: 2 },
    pods: [succeeded('a'), pod('b')],
    does: ['status active=1 noted=a'],
  },
  {
    name: 'parallelism lowered: surplus goes uncounted',
    spec: { completions: 5, parallelism: 1 },
    pods: [pod('a', { ready: true }), pod('b')],
    does: ['delete b (uncounted)', 'status active=1'],
  },
  {
    name: 'suspended: all go uncounted',
    spec: { suspend: true },
    pods: [pod('a')],
    does: ['delete a (uncounted)', 'status Suspended:JobSuspended'],
  },
  {
    name: 'resumed: begins anew',
    status: { conditions: [{ type: 'Suspended', status: 'True', reason: 'JobSuspended' }] },
    does: ['create *', 'status active=1 Suspended?:JobResumed'],
  },
  { name: 'after a failure it waits', pods: [failed('a', { endedS: 4 })], does: ['status noted=a'], againAfterS: 6 },
  {
    name: 'after the third in a row four times as long',
    status: { failed: 2 },
    pods: [
      failed('a', { endedS: 50, tracked: false }),
      failed('b', { endedS: 40, tracked: false }),
      failed('c', { endedS: 10 }),
    ],
    does: ['status failed=2 noted=c'],
    againAfterS: 30,
  },
  { name: 'and then tries again', pods: [failed('a', { endedS: 11 })], does: ['create *', 'status active=1 noted=a'] },
  {
    name: 'one failure too many',
    spec: { backoffLimit: 0, parallelism: 2, completions: 2 },
    pods: [failed('a'), pod('b')],
    does: ['delete b', 'status noted=a FailureTarget:BackoffLimitExceeded'],
  },
  {
    name: 'restarts count too',
    spec: { backoffLimit: 2, template: { spec: { containers: [], restartPolicy: 'OnFailure' } } },
    pods: [pod('a', { restarts: 2 })],
    does: ['delete a', 'status FailureTarget:BackoffLimitExceeded'],
  },
  {
    name: 'a deadline that is over',
    spec: { activeDeadlineSeconds: 600 },
    pods: [pod('a')],
    does: ['delete a', 'status FailureTarget:DeadlineExceeded'],
  },
  {
    name: 'a deadline to come',
    spec: { activeDeadlineSeconds: 610 },
    pods: [pod('a')],
    does: ['status active=1'],
    againAfterS: 10,
  },
  {
    name: 'a pod deleted by hand has failed',
    pods: [pod('a', { deleting: true })],
    does: ['create *', 'status active=1 noted=a'],
  },
  {
    name: 'and is replaced only once it has ended, if so wished',
    spec: { podReplacementPolicy: 'Failed' },
    pods: [pod('a', { deleting: true })],
    does: ['status'],
  },
  {
    name: 'a rule fails the Job',
    spec: { ...exitRule('FailJob', [42]), podReplacementPolicy: 'Failed' },
    pods: [failed('a', { exitCode: 42 })],
    does: ['status noted=a FailureTarget:PodFailurePolicy'],
  },
  {
    name: 'a rule ignores the failure',
    spec: { ...exitRule('Ignore', [42]), backoffLimit: 0, podReplacementPolicy: 'Failed' },
    pods: [failed('a', { exitCode: 42 })],
    does: ['release a', 'create *', 'status active=1'],
  },
  {
    name: 'indexes that are free',
    spec: indexed,
    pods: [pod('b', { index: 1 })],
    does: ['create 0,2', 'status active=3'],
  },
  {
    name: 'indexes that succeeded',
    spec: indexed,
    pods: [succeeded('a', { index: 0 }), succeeded('b', { index: 1 }), pod('c', { index: 2 })],
    does: ['status active=1 succeeded=2 completedIndexes=0,1 noted=a,b'],
  },
  {
    name: 'enough of them',
    spec: { ...indexed, successPolicy: { rules: [{ succeededIndexes: '1' }] } },
    pods: [succeeded('b', { index: 1 }), pod('c', { index: 2 })],
    does: ['delete c', 'status succeeded=1 completedIndexes=1 noted=b SuccessCriteriaMet:SuccessPolicy'],
  },
  {
    name: 'a failed pod of an index stays for its successor',
    spec: { ...indexed, completions: 1, backoffLimitPerIndex: 1 },
    pods: [failed('a', { index: 0, failures: 0, endedS: 4 })],
    does: ['status'],
    againAfterS: 6,
  },
  {
    name: 'who takes over its count',
    spec: { ...indexed, completions: 1, backoffLimitPerIndex: 1 },
    pods: [failed('a', { index: 0, failures: 0, endedS: 10 })],
    does: ['create 0 after a', 'status active=1'],
  },
  {
    name: 'then it is counted',
    spec: { ...indexed, completions: 1, backoffLimitPerIndex: 1 },
    pods: [failed('a', { index: 0, failures: 0 }), pod('b', { index: 0, failures: 1 })],
    does: ['status active=1 noted=a'],
  },
  {
    name: 'an index that failed too often, others go on',
    spec: { ...indexed, completions: 2, backoffLimitPerIndex: 1 },
    pods: [failed('a', { index: 0, failures: 1 }), pod('b', { index: 1, failures: 0 })],
    does: ['status active=1 failedIndexes=0 noted=a'],
  },
  {
    name: 'too many failed indexes',
    spec: { ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 1 },
    pods: [failed('a', { index: 0, failures: 0 }), failed('b', { index: 1, failures: 0 }), pod('c', { index: 2 })],
    does: ['delete c', 'status failedIndexes=0,1 noted=a,b FailureTarget:MaxFailedIndexesExceeded'],
  },
  {
    name: 'what is over lets its pods go',
    status: { conditions: [{ type: 'Complete', status: 'True' }] },
    pods: [pod('a'), pod('b', { tracked: false })],
    does: ['release a'],
  },
];

describe('what a Job does', () => {
  for (const { name, spec = {}, status, pods = [], does, againAfterS } of cases) {
    it(name, () => {
      const claimed = { owned: pods, adopt: [], release: [] };
      const { actions, againAfterMs } = plan({ job: job(spec, status), pods: claimed }, NOW);
      assert.deepEqual(actions.map(told), does);
      assert.equal(againAfterMs === undefined ? undefined : againAfterMs / 1000, againAfterS);
    });
  }
});
