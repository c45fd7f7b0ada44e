import assert from 'node:assert/strict';
import { it } from 'node:test';
import { controlPlane } from '../../tests/fixtures/component-ports.ts';
import { clientOf } from './components.ts';

it('a scheduler tells its own metrics at its own port, to those who may read them', async () => {
  await using it = await controlPlane();
  const admin = it.tokenOf('root', 'system:masters');
  assert.deepEqual([...it.ports.keys()], [10_257, 10_259]);
  assert.deepEqual(await it.ask(10_259, '/healthz'), [200, 'ok']);
  assert.equal((await it.ask(10_259, '/metrics'))[0], 403);
  assert.equal((await it.ask(10_259, '/metrics', it.tokenOf('jane', 'devs')))[0], 403);
  assert.equal((await it.ask(10_259, '/metrics', 'made-up'))[0], 401);
  assert.equal((await it.ask(10_259, '/secrets', admin))[0], 404);
  const [code, text] = await it.ask(10_259, '/metrics', admin);
  assert.equal(code, 200);
  assert.match(text, /^scheduler_pending_pods\{queue="active"\} 0$/m);
  assert.match(text, /^rest_client_requests_total\{code="200",method="GET",host="10\.0\.0\.1:6443"\} [1-9]/m);
  assert.match(text, /^rest_client_request_duration_seconds_count\{verb="GET",host="10\.0\.0\.1:6443"\} [1-9]/m);
  assert.match(text, /^kubernetes_build_info\{major="1",minor="36",git_version="v1\.36\.2/m);
  assert.match(text, /^kubernetes_feature_enabled\{name="TaintTolerationComparisonOperators",stage="ALPHA"\} 1$/m);
  assert.match(text, /^registered_metrics_total\{stability_level="STABLE",deprecated_version=""\} \d+$/m);
  assert.doesNotMatch(text, /^apiserver_/m);
  assert.match((await it.ask(10_259, '/metrics/resources', admin))[1], /^# TYPE kube_pod_resource_request gauge$/m);
});

it('what a component tells is told by the API server too, as long as it runs', async () => {
  await using it = await controlPlane();
  const admin = clientOf(it.around, () => it.around.pki.admin.certificatePem, 'test');
  const read = async () => String(await admin.raw('GET', '/metrics'));
  const text = await read();
  assert.match(text, /^scheduler_pending_pods\{queue="active"\} 0$/m);
  // All of them are good for a year.
  assert.match(text, /^apiserver_client_certificate_expiration_seconds_bucket\{le="604800"\} 0$/m);
  assert.match(text, /^apiserver_client_certificate_expiration_seconds_count [1-9]/m);
  assert.equal(text.match(/^kubernetes_build_info\{/gm)?.length, 1);
  await it.scheduler[Symbol.asyncDispose]();
  assert.doesNotMatch(await read(), /^scheduler_/m);
  assert.deepEqual([...it.ports.keys()], [10_257]);
});

it('a port that is taken keeps nobody from working', async () => {
  await using it = await controlPlane({ portsTaken: [10_257, 10_259] });
  assert.deepEqual([...it.ports.keys()], []);
});
