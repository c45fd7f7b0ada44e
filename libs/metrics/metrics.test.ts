import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exponentialBuckets, MetricSet } from './metrics.ts';

describe('metrics in the text of Prometheus', () => {
  it('tell help, type, labels and values, by name', () => {
    const metrics = new MetricSet();
    const requests = metrics.counter('requests_total', 'All\nof them.', ['verb', 'path']);
    requests.add(1, 'GET', '/a"b\\');
    requests.add(2, 'GET', '/a"b\\');
    metrics.gauge('depth', 'Now.', ['q'], (set) => set(3, 'a'));
    assert.equal(
      metrics.text(),
      '# HELP depth Now.\n# TYPE depth gauge\ndepth{q="a"} 3\n' +
        '# HELP requests_total All\\nof them.\n# TYPE requests_total counter\nrequests_total{verb="GET",path="/a\\"b\\\\"} 3\n',
    );
  });

  it('count what is observed in all buckets that it fits', () => {
    const metrics = new MetricSet();
    const seconds = metrics.histogram('s', 'S.', [], [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
    const lines = metrics.text().split('\n').slice(2, -1);
    assert.deepEqual(lines, [
      's_bucket{le="0.1"} 2',
      's_bucket{le="1"} 3',
      's_bucket{le="+Inf"} 4',
      's_sum 7.65',
      's_count 4',
    ]);
  });

  it('are counted in rows that are held, too', () => {
    const metrics = new MetricSet();
    const requests = metrics.counter('requests_total', 'R.', ['verb']);
    const row = requests.at('GET');
    row.add(2);
    requests.add(1, 'GET');
    const seconds = metrics.histogram('s', 'S.', ['verb'], [1]);
    seconds.at('GET').observe(0.5);
    seconds.observe(2, 'GET');
    assert.match(metrics.text(), /^requests_total\{verb="GET"\} 3$/m);
    assert.match(metrics.text(), /^s_bucket\{verb="GET",le="1"\} 1$/m);
    assert.match(metrics.text(), /^s_sum\{verb="GET"\} 2.5$/m);
  });

  it('are told no longer once what they are of is no more', () => {
    const metrics = new MetricSet();
    const probes = metrics.counter('probes_total', 'P.', ['pod', 'result']);
    probes.add(1, 'a', 'failed');
    probes.add(1, 'b', 'failed');
    probes.delete('a', 'failed');
    assert.deepEqual(metrics.text().match(/^probes_total.*$/gm), ['probes_total{pod="b",result="failed"} 1']);
  });

  it('tell when they were measured, where that was not now', () => {
    const metrics = new MetricSet();
    metrics.counter('c', 'C.', ['n']).setAt(2.5, 1_700_000_000_123.4, 'a');
    assert.match(metrics.text(), /^c\{n="a"\} 2\.5 1700000000123$/m);
  });

  it('have bounds as queries name them', () => {
    const metrics = new MetricSet();
    const bounds = [...exponentialBuckets(1e-8, 10, 10), 0, 0.25, 100_000, 1e6, 1.5e9];
    metrics.histogram('s', 'S.', [], bounds);
    assert.deepEqual(
      [...metrics.text().matchAll(/le="([^"]+)"/g)].map(([, bound]) => bound),
      '1e-08 1e-07 1e-06 9.999999999999999e-06 9.999999999999999e-05 0.001 0.01 0.1 1 10 0 0.25 100000 1e+06 1.5e+09 +Inf'.split(
        ' ',
      ),
    );
  });

  it('without labels begin at 0, and say what is promised of them', () => {
    const metrics = new MetricSet();
    metrics.counter('scheduler_preemption_attempts_total', 'Attempts.');
    metrics.counter('job_controller_pod_failures_handled_by_failure_policy_total', 'Failures.', ['action']);
    assert.equal(
      metrics.text(),
      '# HELP job_controller_pod_failures_handled_by_failure_policy_total [BETA] Failures.\n' +
        '# TYPE job_controller_pod_failures_handled_by_failure_policy_total counter\n' +
        '# HELP scheduler_preemption_attempts_total [STABLE] Attempts.\n' +
        '# TYPE scheduler_preemption_attempts_total counter\nscheduler_preemption_attempts_total 0\n',
    );
  });

  it('of a part are told with the whole until it is removed, those of the whole first', () => {
    const metrics = new MetricSet();
    metrics.counter('b', 'B.');
    const part = metrics.part();
    part.counter('a', 'A.').add(2);
    part.counter('b', 'B.').add(7);
    const names = () => metrics.families.map(({ name }) => name);
    assert.deepEqual(names(), ['a', 'b']);
    assert.match(metrics.text(), /^a 2$/m);
    assert.match(metrics.text(), /^b 0$/m);
    metrics.remove(part);
    assert.deepEqual(names(), ['b']);
    const next = metrics.part();
    next.counter('a', 'A.');
    assert.match(metrics.text(), /^a 0$/m);
  });

  it('forget what a reader no longer says, and refuse a second metric of a name', () => {
    const metrics = new MetricSet();
    let names = ['a', 'b'];
    metrics.gauge('g', 'G.', ['n'], (set) => names.forEach((name) => set(1, name)));
    assert.match(metrics.text(), /n="b"/);
    names = ['a'];
    assert.doesNotMatch(metrics.text(), /n="b"/);
    assert.throws(() => metrics.counter('g', 'again'), /two metrics g/);
    metrics.counter('c', 'C.', ['n'], (set) => names.forEach((name) => set(2, name)));
    assert.match(metrics.text(), /# TYPE c counter\nc\{n="a"\} 2\n/);
  });
});
