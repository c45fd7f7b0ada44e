import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ask, startSubject } from '../../tests/fuzz/run.ts';

const admin = { authorization: 'Bearer admin' };

it('/metrics counts requests by what they asked for, and is not for everybody', async () => {
  await using subject = await startSubject('observed');
  const get = (path: string, query = '', headers: Record<string, string> = admin) =>
    ask(subject, { method: 'GET', path, query, headers });
  const text = async () => {
    const answer = await get('/metrics');
    assert.ok(answer?.body.form === 'whole' && answer.code === 200);
    assert.match(answer.body.contentType, /^text\/plain; version=0\.0\.4/);
    return String(answer.body.value());
  };
  assert.equal((await get('/metrics', '', {}))?.code, 403);
  await get('/api/v1/namespaces/default/configmaps', 'limit=1');
  await get('/api/v1/namespaces/default/made-up-by-somebody');
  const metrics = await text();
  assert.match(metrics, /^authentication_attempts\{result="success"\} [1-9]\d*$/m);
  const line = (start: string) => metrics.split('\n').find((one) => one.startsWith(start)) ?? '';
  assert.match(
    line('apiserver_request_total{verb="LIST",dry_run="",group="",version="v1",resource="configmaps"'),
    /scope="namespace",component="apiserver",code="200",system_client=""} 1$/,
  );
  assert.ok(!metrics.includes('made-up-by-somebody'), 'names that were made up are no rows');
  assert.equal(
    line('apiserver_storage_objects{resource="flowschemas.'),
    'apiserver_storage_objects{resource="flowschemas.flowcontrol.apiserver.k8s.io"} 11',
  );
  assert.match(line('apiserver_resource_objects{group="flowcontrol.apiserver.k8s.io",resource="flowschemas"'), / 11$/);
  assert.match(line('aggregator_unavailable_apiservice{name="v1.apps"'), / 0$/);
  assert.match(line('apiserver_current_inflight_requests{request_kind="readOnly"'), / 1$/);
  assert.match(line('apiserver_flowcontrol_nominal_limit_seats{priority_level="workload-low"'), / 245$/);

  const made = {
    method: 'POST',
    path: '/api/v1/namespaces/nowhere/pods',
    query: '',
    body: '{"metadata":{"name":"a"}}',
  };
  await ask(subject, { ...made, headers: { ...admin, 'content-type': 'application/json' } });
  const admission = await text();
  const counted = (start: string) =>
    admission
      .split('\n')
      .find((one) => one.startsWith(start))
      ?.replace(/.* /, '');
  const refused = 'operation="CREATE",rejected="true",type="admit"}';
  assert.equal(counted(`apiserver_admission_step_admission_duration_seconds_count{${refused}`), '1');
  const plugin = 'apiserver_admission_controller_admission_duration_seconds_count{name="NamespaceLifecycle"';
  assert.equal(counted(`${plugin},${refused}`), '1');

  assert.match(admission, /^kubernetes_build_info\{major="1",minor="36",git_version="v1\.36\.2\+tutti",.*\} 1$/m);
  const deprecated = 'apiserver_requested_deprecated_apis{group="",version="v1",resource="endpoints"';
  assert.ok(!admission.includes(deprecated));
  await get('/api/v1/namespaces/default/endpoints');
  assert.ok((await text()).includes(deprecated));

  const watch = await get('/api/v1/configmaps', 'watch=1');
  assert.ok(watch?.body.form === 'watch');
  const handle = watch.body.open({ event: () => true, end() {} });
  const open = /^apiserver_longrunning_requests\{verb="WATCH".*resource="configmaps".*\} (\d)$/m;
  assert.equal(open.exec(await text())?.[1], '1');
  const before = await text();
  const another = { ...made, path: '/api/v1/namespaces/default/configmaps', body: '{"metadata":{"name":"watched"}}' };
  await ask(subject, { ...another, headers: { ...admin, 'content-type': 'application/json' } });
  const watched = await text();
  const events = (of: string) =>
    Number(/^apiserver_watch_events_total\{group="",version="v1",resource="configmaps"\} (\d+)$/m.exec(of)?.[1] ?? 0);
  const told = (of: string) =>
    Number(/^apiserver_storage_events_received_total\{group="",resource="configmaps"\} (\d+)$/m.exec(of)?.[1] ?? 0);
  assert.deepEqual([events(watched) - events(before), told(watched) - told(before)], [1, 1]);
  assert.match(watched, /^# TYPE apiserver_storage_events_received_total counter$/m);
  assert.ok(Number(/^apiserver_storage_size_bytes\{.*\} (\d+)$/m.exec(watched)?.[1]) > 0);
  handle.close();
  assert.equal(open.exec(await text())?.[1], '0');
  const slis = await get('/metrics/slis');
  assert.match(
    String(slis?.body.form === 'whole' && slis.body.value()),
    /kubernetes_healthcheck\{name="etcd",type="readyz"\} 1/,
  );
});
