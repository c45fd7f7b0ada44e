import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { ResourceQuota } from '../../../types/core/v1.generated.ts';
import { evaluatorOf, type QuotaEvaluator } from '../evaluate.ts';
import { plan } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const evaluator = (resource: string): QuotaEvaluator => evaluatorOf({ group: '', resource }) as QuotaEvaluator;

const pod = (cpu: string | undefined, metadata: object = {}): Live<object> =>
  ({
    metadata,
    spec: { containers: [{ name: 'a', resources: cpu ? { requests: { cpu } } : {} }] },
  }) as unknown as Live<object>;

const quota = (spec: object, status?: object): Live<ResourceQuota> =>
  ({ metadata: { name: 'q', namespace: 'n' }, spec, ...(status ? { status } : {}) }) as unknown as Live<ResourceQuota>;

describe('what the controller of quotas counts', () => {
  const hard = { pods: '5', 'requests.cpu': '2', secrets: '3', 'example.com/unknown': '1' };
  const all = [
    { evaluator: evaluator('pods'), objects: [pod('500m'), pod('1')] },
    { evaluator: evaluator('secrets'), objects: [] },
  ];

  it('sums up, names what is not used, leaves out what nobody knows', () => {
    const { actions } = plan({ quota: quota({ hard }), counted: all }, NOW);
    assert.deepEqual(actions[0]?.status, { hard, used: { pods: '2', 'requests.cpu': '1500m', secrets: '0' } });
  });
  it('writes nothing where all is as it was, however it is spelled', () => {
    const status = { hard: { ...hard, pods: '5' }, used: { pods: '2', 'requests.cpu': '1.5', secrets: '0' } };
    assert.deepEqual(plan({ quota: quota({ hard }, status), counted: all }, NOW).actions, []);
  });
  it('tells limits that have changed', () => {
    const status = { hard: { ...hard, pods: '9' }, used: { pods: '2', 'requests.cpu': '1500m', secrets: '0' } };
    assert.deepEqual(plan({ quota: quota({ hard }, status), counted: all }, NOW).actions[0]?.status.hard, hard);
  });
  it('counts what is within its scopes', () => {
    const spec = { hard: { pods: '5' }, scopes: ['BestEffort'] };
    const counted = [{ evaluator: evaluator('pods'), objects: [pod('1'), pod(undefined)] }];
    assert.deepEqual(plan({ quota: quota(spec), counted }, NOW).actions[0]?.status.used, { pods: '1' });
  });
  it('looks again when a pod should have gone', () => {
    const deleted = pod('1', { deletionTimestamp: '2026-01-01T00:09:50Z', deletionGracePeriodSeconds: 30 });
    const counted = [{ evaluator: evaluator('pods'), objects: [deleted] }];
    const { actions, againAfterMs } = plan({ quota: quota({ hard: { pods: '5' } }), counted }, NOW);
    assert.equal(actions[0]?.status.used?.pods, '1');
    assert.equal(againAfterMs, 20_001);
  });
});
