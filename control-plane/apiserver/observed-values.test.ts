import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nonResourceAttributes } from '../../libs/kind/request.ts';
import { ask, type Subject, startSubject } from '../../tests/fuzz/run.ts';
import { Observed } from './observed.ts';

const AUTHORIZATION = { authorization: 'Bearer admin' };
const BAD_COLOR = { metadata: { name: 'c' }, data: { color: 'bad' } };

/** `{labels} value`, of one metric. */
async function rows(subject: Subject, name: string): Promise<string[]> {
  const answer = await ask(subject, { method: 'GET', path: '/metrics', query: '', headers: AUTHORIZATION });
  const text = String(answer?.body.form === 'whole' && answer.body.value());
  return [...text.matchAll(new RegExp(`^${name}(\\{.*| .*)$`, 'gm'))].map(([, row]) => (row as string).trim());
}

async function create(subject: Subject, path: string, object: object, code = 201): Promise<void> {
  const headers = { ...AUTHORIZATION, 'content-type': 'application/json' };
  const answer = await ask(subject, { method: 'POST', path, query: '', headers, body: JSON.stringify(object) });
  const told = answer?.body.form === 'whole' ? JSON.stringify(answer.body.value()) : '';
  assert.equal(answer?.code, code, told);
}

it('requests are counted by the component of Kubernetes that sent them', async () => {
  await using subject = await startSubject('clients');
  for (const agent of ['kubelet/v1.36.2 (linux/amd64)', 'kube-scheduler', 'kubernetes-dashboard', 'curl/8']) {
    const headers = { ...AUTHORIZATION, 'user-agent': agent };
    await ask(subject, { method: 'GET', path: '/api/v1/nodes', query: '', headers });
  }
  const found = (await rows(subject, 'apiserver_request_total')).filter((row) => row.includes('resource="nodes"'));
  assert.deepEqual(
    found.map((row) => row.replace(/.*system_client=/, '')),
    ['"kubelet"} 1', '"kube-scheduler"} 1', '""} 2'],
  );
});

it('requests at work are told by level and schema, and no longer once they have ended', async () => {
  await using subject = await startSubject('flows');
  const of = (what: string) => rows(subject, `apiserver_flowcontrol_current_${what}`);
  const exempt = '{priority_level="exempt",flow_schema="exempt"}';
  // Who asks is at work.
  assert.deepEqual(await of('executing_requests'), [`${exempt} 1`]);
  assert.deepEqual(await of('executing_seats'), [`${exempt} 1`]);
  assert.deepEqual(await of('inqueue_requests'), [`${exempt} 0`]);
  const headers = { authorization: 'Bearer jane' };
  await ask(subject, { method: 'GET', path: '/api/v1/nodes', query: '', headers });
  assert.deepEqual((await of('executing_requests')).toSorted(), [
    `${exempt} 1`,
    '{priority_level="global-default",flow_schema="global-default"} 0',
  ]);
});

it('how long a watcher waits for the first state is told, once it has it', async () => {
  await using subject = await startSubject('watch list');
  const count = () => rows(subject, 'apiserver_watch_list_duration_seconds_count');
  const open = async (query: string) => {
    const path = '/api/v1/namespaces/default/configmaps';
    const answer = await ask(subject, { method: 'GET', path, query, headers: AUTHORIZATION });
    assert.ok(answer?.body.form === 'watch');
    const handle = answer.body.open({ event: () => true, end() {} });
    for (let i = 0; i < 20; i++) await subject.clock.settle();
    handle.close();
  };
  await open('watch=1&allowWatchBookmarks=true');
  assert.deepEqual(await count(), []);
  await open('watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan');
  assert.deepEqual(await count(), ['{group="",version="v1",resource="configmaps",scope="namespace"} 1']);
});

it('rules of custom resources are timed, when they are compiled and when they are asked', async () => {
  await using subject = await startSubject('rules');
  const counts = async () => [
    ...(await rows(subject, 'apiserver_cel_compilation_duration_seconds_count')),
    ...(await rows(subject, 'apiserver_cel_evaluation_duration_seconds_count')),
  ];
  const [before = ''] = await counts();
  const rule = { rule: 'self.color != "bad"', message: 'no' };
  const data = { type: 'object', properties: { color: { type: 'string' } }, 'x-kubernetes-validations': [rule] };
  await create(subject, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'paints.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'paints', kind: 'Paint' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { data } } },
        },
      ],
    },
  });
  await subject.clock.advance(2000);
  const [compiled, asked] = await counts();
  assert.ok(Number(compiled) > Number(before));
  assert.equal(asked, '0');
  const paints = '/apis/example.com/v1/namespaces/default/paints';
  const common = { apiVersion: 'example.com/v1', kind: 'Paint' };
  await create(subject, paints, { ...common, ...BAD_COLOR }, 422);
  await create(subject, paints, { ...common, metadata: { name: 'd' }, data: { color: 'good' } });
  assert.deepEqual(await counts(), [compiled, '2']);
});

it('validations of policies that do not hold are counted by what followed', async () => {
  await using subject = await startSubject('policies');
  const api = '/apis/admissionregistration.k8s.io/v1';
  const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }];
  const policy = (name: string, expression: string, failurePolicy: string) =>
    create(subject, `${api}/validatingadmissionpolicies`, {
      metadata: { name },
      spec: { failurePolicy, matchConstraints: { resourceRules }, validations: [{ expression }] },
    });
  const bind = (policyName: string, validationActions: string[]) =>
    create(subject, `${api}/validatingadmissionpolicybindings`, {
      metadata: { name: `${policyName}-binding` },
      spec: { policyName, validationActions },
    });
  await policy('colors', 'object.data.color != "bad"', 'Fail');
  await bind('colors', ['Warn', 'Audit']);
  await policy('breaks', 'object.data.missing == "x"', 'Ignore');
  await bind('breaks', ['Deny']);
  await create(subject, '/api/v1/namespaces/default/configmaps', BAD_COLOR);
  const of = (what: string) => rows(subject, `apiserver_validating_admission_policy_check_${what}`);
  const row = (policyName: string, action: string) =>
    `{policy="${policyName}",policy_binding="${policyName}-binding",error_type="invalid_error",enforcement_action="${action}"} 1`;
  const wanted = [row('breaks', 'allow'), row('colors', 'warn'), row('colors', 'audit')].sort();
  assert.deepEqual((await of('total')).sort(), wanted);
  assert.deepEqual((await of('duration_seconds_count')).sort(), wanted);
});

it('what a request waits for its turn and for webhooks is not the time that the server needs', () => {
  const observed = new Observed();
  const request = {};
  observed.webhook('a', 'admit', 'CREATE', 100, false, request);
  observed.webhook('b', 'admit', 'CREATE', 200, false, request);
  observed.webhook('c', 'validating', 'CREATE', 400, false, request);
  observed.webhook('d', 'validating', 'CREATE', 300, false, request);
  assert.equal(observed.webhooksMs(request), 700, 'one after the other, then at once');
  assert.equal(observed.webhooksMs({}), 0);
  const figures = observed.requests.of(nonResourceAttributes('get', '/x'), false, false);
  figures.answered(200, '', 1000, observed.webhooksMs(request) + 50);
  const sum = (name: string) => new RegExp(`^${name}_sum\\{.*\\} (.*)$`, 'm').exec(observed.metrics.text())?.[1];
  assert.equal(sum('apiserver_request_duration_seconds'), '1');
  assert.equal(sum('apiserver_request_sli_duration_seconds'), '0.25');
});
