import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { BEHAVE, realNodeOfSuite } from '../../../tests/fixtures/real-node.ts';
import { until } from '../../../tests/harness/process.ts';
import { requires } from '../../../tests/harness/requirements.ts';

const container = (name: string, more: object) => ({ name, image: BEHAVE, imagePullPolicy: 'IfNotPresent', ...more });

describe('logs, exec and attach as users see them', requires('root', 'containerd', 'images', 'kubectl'), () => {
  const suite = realNodeOfSuite();
  const out = async (args: string) => {
    const { code, stdout, stderr } = await suite.node.kubectl(args);
    assert.equal(code, 0, `kubectl ${args}: ${stderr}`);
    return stdout;
  };

  before(
    async () => {
      const { node } = suite;
      const words = ['sh', '-c', 'echo one; echo two >&2; sleep 3; echo three; sleep 3600'];
      await Promise.all([
        node.create('talks', [], { restartPolicy: 'Never' }, { command: words }),
        node.create('half', [], {
          restartPolicy: 'Never',
          containers: [container('main', { args: ['stay'] }), container('ended', { args: ['exit', '0'] })],
        }),
        node.create('waits', [], {}, { image: 'docker.io/library/none:1' }),
      ]);
      await node.create('loops', [], {
        volumes: [{ name: 'kept', emptyDir: {} }],
        containers: [
          container('main', {
            command: ['sh', '-c', 'touch /kept/n; echo round $(wc -l < /kept/n); echo >> /kept/n; exit 2'],
            volumeMounts: [{ name: 'kept', mountPath: '/kept' }],
          }),
        ],
      });
      await node.ready('talks');
      await node.pod('half', 'has ended by half', ({ status }) =>
        status?.containerStatuses?.some(({ state }) => state?.terminated),
      );
      await node.pod(
        'waits',
        'waits',
        ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff',
      );
      await node.pod('loops', 'loops', ({ status }) => {
        const [one] = status?.containerStatuses ?? [];
        return one?.restartCount === 1 && one.state?.waiting?.reason === 'CrashLoopBackOff';
      });
    },
    { timeout: 60_000 },
  );

  test('what is wanted of a log: a part by time, by lines, by bytes, with times', async () => {
    const all = await until('all has been said', async () => {
      const text = await out('logs talks --timestamps');
      return text.includes('three') && text;
    });
    const lines = all
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]);
    assert.deepEqual(lines.map(([, word]) => word).sort(), ['one', 'three', 'two']);
    for (const [time] of lines) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    const third = lines.find(([, word]) => word === 'three')![0];
    assert.equal(await out(`logs talks --since-time=${third}`), 'three\n', 'that moment and later');
    assert.equal(await out('logs talks --since-time=2100-01-01T00:00:00Z'), '');
    assert.equal(await out('logs talks --tail=1'), 'three\n');
    assert.equal(await out('logs talks --tail=0'), '');
    assert.equal((await out('logs talks --tail=-1')).length, 'one\ntwo\nthree\n'.length);
    assert.equal(await out('logs talks --tail=1 --limit-bytes=3'), 'thr');
    assert.equal((await out('logs talks --since=1h')).length, 'one\ntwo\nthree\n'.length);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.equal(await out('logs talks --since=1s'), '');
  });

  test('a container that waits for its next start shows what it said last, and so does --previous', async () => {
    assert.equal(await out('logs loops'), 'round 1\n');
    assert.equal(await out('logs loops --previous'), 'round 1\n');
  });

  const REFUSED: [string, RegExp][] = [
    ['logs waits', /container "main" in pod "waits" is waiting to start: trying and failing to pull image/],
    ['logs waits -p', /previous terminated container "main" in pod "waits" not found/],
    ['logs half -c ended -p', /previous terminated container "ended" in pod "half" not found/],
    ['logs half -c none', /container none is not valid for pod half/],
    ['logs nobody', /pods "nobody" not found/],
    ['exec half -c ended -- true', /^error: unable to upgrade connection: container not found \("ended"\)$/m],
    ['exec half -c none -- true', /container none is not valid for pod half/],
    ['exec waits -- true', /^error: unable to upgrade connection: container not found \("main"\)$/m],
    ['attach half -c ended', /^error: unable to upgrade connection: container ended not found in pod half_default$/m],
    ['attach half -c none', /container none not found in pod half/],
    ['attach nobody', /pods "nobody" not found/],
  ];
  for (const [args, words] of REFUSED) {
    test(`kubectl ${args}`, async () => {
      const { code, stderr } = await suite.node.kubectl(args);
      assert.equal(code, 1);
      assert.match(stderr, words);
    });
  }
});
