// Admission as clients meet it: quotas that hold under many writers, limits, policies in CEL, webhooks that are functions.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { WebhookTransport } from '../../control-plane/apiserver/webhook/client.ts';
import { encodeBase64 } from '../../libs/base/base64.ts';
import { startTestServer, type TestServer } from '../fixtures/api-server.ts';

const CORE = '/api/v1/namespaces/default';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const RULE = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] };

const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
const pod = (name: string, resources = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'a', image: 'i', resources }] },
});

async function withAccount(server: TestServer): Promise<TestServer> {
  await server.send('POST', `${CORE}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default' },
  });
  return server;
}

async function setQuota({ send }: TestServer, hard: Record<string, string>): Promise<void> {
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard } };
  await send('POST', `${CORE}/resourcequotas`, quota);
  const used = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']));
  const { code } = await send('PATCH', `${CORE}/resourcequotas/q/status`, { status: { hard, used } });
  assert.equal(code, 200);
}

suite('quotas', () => {
  test('many writers side by side get what there is, and no more', async () => {
    await using server = await startTestServer();
    await setQuota(server, { 'count/configmaps': '7' });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => server.send('POST', `${CORE}/configmaps`, configMap(`c${i}`))),
    );
    assert.equal(answers.filter(({ code }) => code === 201).length, 7);
    const refused = answers.find(({ code }) => code !== 201);
    assert.equal(refused?.code, 403);
    assert.match(
      refused?.body.message,
      /exceeded quota: q, requested: count\/configmaps=1, used: count\/configmaps=7, limited: count\/configmaps=7$/,
    );
    const { body } = await server.send('GET', `${CORE}/resourcequotas/q`);
    assert.equal(body.status.used['count/configmaps'], '7');
  });

  test('a dry run takes nothing', async () => {
    await using server = await startTestServer();
    await setQuota(server, { 'count/configmaps': '1' });
    assert.equal((await server.send('POST', `${CORE}/configmaps?dryRun=All`, configMap('a'))).code, 201);
    const { body } = await server.send('GET', `${CORE}/resourcequotas/q`);
    assert.equal(body.status.used['count/configmaps'], '0');
  });

  test('what a quota limits must be said', async () => {
    await using server = await withAccount(await startTestServer());
    await setQuota(server, { 'requests.cpu': '1', 'limits.memory': '1Gi' });
    const { code, body } = await server.send('POST', `${CORE}/pods`, pod('p'));
    assert.equal(code, 403);
    assert.match(body.message, /failed quota: q: must specify limits.memory for: a; requests.cpu for: a$/);
  });
});

test('limit ranges fill in, note it, and refuse', async () => {
  await using server = await withAccount(await startTestServer());
  const limits = [{ type: 'Container', default: { cpu: '500m' }, max: { cpu: '1' } }];
  const range = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'l' }, spec: { limits } };
  await server.send('POST', `${CORE}/limitranges`, range);
  const { body } = await server.send('POST', `${CORE}/pods`, pod('p'));
  assert.deepEqual(body.spec.containers[0].resources, { limits: { cpu: '500m' }, requests: { cpu: '500m' } });
  assert.equal(
    body.metadata.annotations['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu request for container a; cpu limit for container a',
  );
  const large = await server.send('POST', `${CORE}/pods`, pod('large', { limits: { cpu: '3' } }));
  assert.equal(large.code, 403);
  assert.match(large.body.message, /maximum cpu usage per Container is 1, but limit is 3$/);
});

suite('policies', () => {
  const policy = (kind: string, spec: object) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'p' },
    spec,
  });

  async function validating(server: TestServer, spec: object, actions: string[]): Promise<void> {
    const constraints = { matchConstraints: { resourceRules: [RULE] } };
    const made = await server.send(
      'POST',
      `${ADMISSION}/validatingadmissionpolicies`,
      policy('ValidatingAdmissionPolicy', { ...constraints, ...spec }),
    );
    assert.equal(made.code, 201, made.body.message);
    const binding = policy('ValidatingAdmissionPolicyBinding', { policyName: 'p', validationActions: actions });
    assert.equal((await server.send('POST', `${ADMISSION}/validatingadmissionpolicybindings`, binding)).code, 201);
  }

  test('the first denial is told, with its reason', async () => {
    await using server = await startTestServer();
    const validations = [
      { expression: 'variables.size < 2', messageExpression: "'has ' + string(variables.size)", reason: 'Forbidden' },
    ];
    await validating(server, { variables: [{ name: 'size', expression: 'object.data.size()' }], validations }, [
      'Deny',
    ]);
    assert.equal((await server.send('POST', `${CORE}/configmaps`, configMap('a', { x: '' }))).code, 201);
    const { code, body } = await server.send('POST', `${CORE}/configmaps`, configMap('b', { x: '', y: '' }));
    assert.equal(code, 403);
    assert.equal(
      body.message,
      `configmaps "b" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: has 2`,
    );
  });

  test('warnings let pass', async () => {
    await using server = await startTestServer();
    await validating(server, { validations: [{ expression: 'false', message: 'careful' }] }, ['Warn']);
    const { code, warnings } = await server.send('POST', `${CORE}/configmaps`, configMap('a'));
    assert.equal(code, 201);
    assert.deepEqual(warnings, [`Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': careful`]);
  });

  test('expressions ask what the user may do', async () => {
    await using server = await startTestServer();
    const expression = "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()";
    await validating(server, { validations: [{ expression, message: 'no' }] }, ['Deny']);
    assert.equal((await server.send('POST', `${CORE}/configmaps`, configMap('a'))).code, 201);
  });

  test('mutations see those before them, and run again when another one changed the object', async () => {
    await using server = await startTestServer();
    const apply = (expression: string) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
    const spec = {
      matchConstraints: { resourceRules: [RULE] },
      reinvocationPolicy: 'Never',
      mutations: [
        apply("Object{metadata: Object.metadata{labels: {'one': 'x'}}}"),
        apply("Object{data: {'seen': object.metadata.labels['one']}}"),
        { patchType: 'JSONPatch', jsonPatch: { expression: "[JSONPatch{op: 'remove', path: '/data/gone'}]" } },
      ],
    };
    await server.send('POST', `${ADMISSION}/mutatingadmissionpolicies`, policy('MutatingAdmissionPolicy', spec));
    const binding = policy('MutatingAdmissionPolicyBinding', { policyName: 'p' });
    await server.send('POST', `${ADMISSION}/mutatingadmissionpolicybindings`, binding);
    const { code, body } = await server.send('POST', `${CORE}/configmaps`, configMap('a', { gone: '', k: 'v' }));
    assert.equal(code, 201, body.message);
    assert.deepEqual(body.metadata.labels, { one: 'x' });
    assert.deepEqual(body.data, { k: 'v', seen: 'x' });
  });
});

suite('webhooks', () => {
  type Review = { request: { uid: string; object?: { kind?: string; data?: Record<string, string> } } };

  /** A transport that calls functions by their paths. */
  function functions(hooks: Record<string, (review: Review) => object>): WebhookTransport {
    return {
      async post({ path, body }) {
        const review = JSON.parse(body) as Review;
        const hook = hooks[path.replace(/\?.*$/, '')];
        if (!hook) throw new Error('dial tcp 192.0.2.1:443: connect: connection refused');
        const response = { uid: review.request.uid, allowed: true, ...hook(review) };
        const answer = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
        return { code: 200, body: JSON.stringify(answer) };
      },
    };
  }
  const patch = (...operations: object[]) => ({
    patchType: 'JSONPatch',
    patch: encodeBase64(JSON.stringify(operations)),
  });
  const hook = (path: string, more = {}) => ({
    name: `${path.slice(1)}.example.com`,
    clientConfig: { url: `https://hooks.example${path}` },
    rules: [RULE],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  });
  const configuration = (kind: string, ...webhooks: object[]) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'hooks' },
    webhooks,
  });

  test('patches are applied one upon the other, and hooks that want it are called again', async () => {
    const calls: string[] = [];
    const count = ({ request }: Review) => {
      calls.push('count');
      const size = Object.keys(request.object?.data ?? {}).length;
      return patch({ op: 'add', path: '/data/count', value: String(size) });
    };
    const add = () => {
      calls.push('add');
      return patch({ op: 'add', path: '/data/added', value: 'yes' });
    };
    await using server = await startTestServer({ webhooks: functions({ '/count': count, '/add': add }) });
    const hooks = [hook('/count', { reinvocationPolicy: 'IfNeeded' }), hook('/add')];
    await server.send(
      'POST',
      `${ADMISSION}/mutatingwebhookconfigurations`,
      configuration('MutatingWebhookConfiguration', ...hooks),
    );
    const { code, body } = await server.send('POST', `${CORE}/configmaps`, configMap('a', { k: 'v' }));
    assert.equal(code, 201, body.message);
    assert.deepEqual(calls, ['count', 'add', 'count']);
    assert.deepEqual(body.data, { added: 'yes', count: '3', k: 'v' });
  });

  test('reviews are shown too, though nothing of them is stored', async () => {
    const kinds: string[] = [];
    const note = ({ request }: Review) => {
      kinds.push(String(request.object?.kind));
      return {};
    };
    await using server = await startTestServer({ webhooks: functions({ '/note': note }) });
    const all = { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['*'] };
    const hooks = [hook('/note', { rules: [all], failurePolicy: 'Ignore' })];
    const asked = configuration('ValidatingWebhookConfiguration', ...hooks);
    await server.send('POST', `${ADMISSION}/validatingwebhookconfigurations`, asked);
    const review = { spec: { user: 'jane', resourceAttributes: { verb: 'get', resource: 'pods' } } };
    assert.equal((await server.send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review)).code, 201);
    assert.equal((await server.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})).code, 201);
    assert.deepEqual(kinds, ['SubjectAccessReview', 'SelfSubjectReview']);
  });

  const refusals: [title: string, more: object, answer: object | undefined, code: number, told: string][] = [
    [
      'a denial',
      {},
      { allowed: false, status: { message: 'no' } },
      400,
      'admission webhook "h.example.com" denied the request: no',
    ],
    [
      'nobody there',
      {},
      undefined,
      500,
      'Internal error occurred: failed calling webhook "h.example.com": failed to call webhook: Post "https://hooks.example/h?timeout=10s": dial tcp 192.0.2.1:443: connect: connection refused',
    ],
    ['nobody there, but no matter', { failurePolicy: 'Ignore' }, undefined, 201, ''],
    [
      'another answer than asked for',
      {},
      { uid: 'x' },
      500,
      'Internal error occurred: failed calling webhook "h.example.com": received invalid webhook response: expected response.uid="UID", got "x"',
    ],
  ];
  for (const [title, more, answer, code, told] of refusals) {
    test(title, async () => {
      await using server = await startTestServer({ webhooks: functions(answer ? { '/h': () => answer } : {}) });
      await server.send(
        'POST',
        `${ADMISSION}/validatingwebhookconfigurations`,
        configuration('ValidatingWebhookConfiguration', hook('/h', more)),
      );
      const found = await server.send('POST', `${CORE}/configmaps`, configMap('a'));
      assert.equal(found.code, code);
      if (told) assert.equal(found.body.message.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UID'), told);
    });
  }
});
