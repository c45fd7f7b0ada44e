import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ask, startSubject } from '../../../tests/fuzz/run.ts';

describe('pages for people', () => {
  const get = async (path: string, headers: Record<string, string> = {}, authorization = 'Bearer admin') => {
    await using subject = await startSubject('z-pages');
    const [at = '', query = ''] = path.split('?');
    const answer = await ask(subject, { method: 'GET', path: at, query, headers: { authorization, ...headers } });
    assert.ok(answer?.body.form === 'whole');
    return { code: answer.code, value: answer.body.value() };
  };

  it('/statusz says since when and what', async () => {
    const { code, value } = await get('/statusz');
    assert.equal(code, 200);
    assert.match(String(value), /^\nkube-apiserver statusz\nWarning: /);
    assert.match(String(value), /^Started: Thu Jan {2}1 00:00:00 UTC 2026\nUp: 0 hr 00 min 00 sec$/m);
  });

  for (const [accept, code, kind] of [
    ['application/json;v=v1beta1;g=config.k8s.io;as=Statusz', 200, 'Statusz'],
    ['application/json;v=v1alpha1;g=config.k8s.io;as=Statusz', 200, 'Statusz'],
    ['application/json', 406, 'Status'],
    ['application/json;v=v1beta1;g=config.k8s.io;as=Flagz', 406, 'Status'],
  ] as const) {
    it(`as ${accept} it is ${code}`, async () => {
      const answer = await get('/statusz', { accept });
      assert.deepEqual([answer.code, (answer.value as { kind: string }).kind], [code, kind]);
    });
  }

  it('/flagz is not for everybody', async () => {
    assert.equal((await get('/flagz')).code, 200);
    assert.equal((await get('/flagz', {}, 'Bearer jane')).code, 403);
  });

  it('priority levels are dumped in columns', async () => {
    const dump = async (name: string) =>
      String((await get(`/debug/api_priority_and_fairness/${name}`)).value)
        .split('\n')
        .map((line) => line.split(/, */));
    const levels = await dump('dump_priority_levels');
    assert.deepEqual(levels[0]?.slice(0, 4), ['PriorityLevelName', 'ActiveQueues', 'IsIdle', 'IsQuiescing']);
    assert.ok(levels.some(([name, , idle]) => name === 'workload-low' && idle === 'true'));
    assert.equal((await dump('dump_requests?includeRequestDetails=1'))[0]?.at(-1), 'SubResource');
    assert.equal((await dump('dump_queues'))[0]?.[1], 'Index');
    assert.equal((await get('/debug/api_priority_and_fairness/dump_nothing')).code, 404);
  });
});
