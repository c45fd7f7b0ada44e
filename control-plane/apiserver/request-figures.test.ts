import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestAttributes } from '../../libs/kind/request.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { RequestTable } from './request-figures.ts';

const asked = (verb: string, more: Partial<RequestAttributes> = {}): RequestAttributes => ({
  verb,
  isResourceRequest: true,
  path: '',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: 'a',
  ...more,
});

const setUp = () => {
  const metrics = new MetricSet();
  const table = new RequestTable();
  table.tell(metrics);
  const rows = (name: string) =>
    metrics
      .text()
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`))
      .map((line) => line.slice(name.length));
  return { table, rows };
};

describe('the figures of requests', () => {
  it('are found again for the same question, whoever asks and whatever the name', () => {
    const { table } = setUp();
    const figures = table.of(asked('get'), true, false);
    assert.equal(table.of(asked('get', { name: 'b', namespace: 'other' }), true, false), figures);
    const others = [
      table.of(asked('get', { name: '' }), true, false),
      table.of(asked('get', { subresource: 'status' }), true, false),
      table.of(asked('get', { group: 'example.com' }), true, false),
      table.of(asked('get', { version: 'v2' }), true, false),
      table.of(asked('update'), true, false),
      table.of(asked('get'), true, true),
      table.of(asked('get'), false, false),
    ];
    assert.equal(new Set([figures, ...others]).size, 8);
  });

  it('are told with their labels; what a dry run and a run have in common is added up', () => {
    const { table, rows } = setUp();
    const run = table.of(asked('update'), true, false);
    run.answered(200, 'kubelet', 100, 0);
    run.answered(200, 'kubelet', 100, 0);
    run.answered(409, '', 100, 0);
    table.of(asked('update'), true, true).answered(200, '', 100, 50);
    const of = 'group="",version="v1",resource="pods",subresource="",scope="resource",component="apiserver"';
    assert.deepEqual(rows('apiserver_request_total'), [
      `{verb="UPDATE",dry_run="",${of},code="200",system_client="kubelet"} 2`,
      `{verb="UPDATE",dry_run="",${of},code="409",system_client=""} 1`,
      `{verb="UPDATE",dry_run="All",${of},code="200",system_client=""} 1`,
    ]);
    assert.deepEqual(rows('apiserver_request_duration_seconds_count'), [
      `{verb="UPDATE",dry_run="",${of}} 3`,
      `{verb="UPDATE",dry_run="All",${of}} 1`,
    ]);
    assert.deepEqual(rows('apiserver_request_sli_duration_seconds_count'), [`{verb="UPDATE",${of}} 4`]);
    const within = rows('apiserver_request_sli_duration_seconds_bucket').find((row) => row.includes('le="0.05"'));
    assert.match(within ?? '', / 1$/);
  });

  it('of watches tell what is open and was sent, of all watches of a resource', () => {
    const { table, rows } = setUp();
    const all = table.of(asked('watch', { namespace: '', name: '' }), true, false);
    const one = table.of(asked('watch', { name: '' }), true, false);
    for (const figures of [all, one]) figures.opened();
    all.events += 3;
    one.events += 2;
    one.closed();
    assert.deepEqual(
      rows('apiserver_longrunning_requests').map((row) => /scope="(\w+)".* (\d)$/.exec(row)?.slice(1)),
      [
        ['cluster', '1'],
        ['namespace', '0'],
      ],
    );
    assert.deepEqual(rows('apiserver_watch_events_total'), ['{group="",version="v1",resource="pods"} 5']);
  });

  it('do not grow with names that somebody makes up', () => {
    const { table, rows } = setUp();
    for (let i = 0; i < 1000; i++) {
      table.of(asked('get', { subresource: `made-up-${i}` }), true, false).answered(404, '', 1, 0);
      table.of(asked(`verb-${i}`, { resource: `made-up-${i}` }), false, false).answered(404, '', 1, 0);
    }
    const told = rows('apiserver_request_total');
    assert.equal(told.length, 201);
    assert.deepEqual(
      told.filter((row) => row.includes('verb="other"')).map((row) => row.replace(/.* /, '')),
      ['1000'],
    );
  });
});
