import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SeededRandom } from '../../libs/base/random.ts';
import { delay, until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';

const SEED = process.env['TUTTI_SEED'] ?? 'killed';
const ROUNDS = 4;
const PROXY_PORT = 18_001;

/**
 * `kill -9` of the whole process while clients write and pods start, again and again at moments of a seed
 * (`TUTTI_SEED`): whatever was acknowledged is there afterwards, and a container that is well is never started again.
 */
describe(`killed at moments of the seed ${SEED}`, requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  const random = new SeededRandom(SEED);
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 30_000 });
  /** As acknowledged: what the last answer said that each is. */
  const acknowledged = new Map<string, string>();
  /** Writes without an answer since then. */
  const unknown = new Map<string, Set<string>>();

  before(
    async () => {
      cluster = await startCluster({ images: ['busybox'] });
      // A quick way to write: the proxy outlives the server.
      await cluster.kubectl.spawn(`proxy --port=${PROXY_PORT}`).waitFor('Starting to serve');
      await cluster.bodyOf(`http://127.0.0.1:${PROXY_PORT}/readyz`);
      await kubectl('create deployment steady --image=busybox --replicas=2 -- sleep 86400');
      await kubectl('rollout status deployment/steady --timeout=60s');
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  const containersOf = async (app: string): Promise<Record<string, string>> => {
    const { items } = await cluster.kubectl.json(`get pods -l app=${app}`);
    return Object.fromEntries(
      items.map((pod: any) => {
        const [{ containerID, restartCount }] = pod.status.containerStatuses;
        return [pod.metadata.name, `${containerID} ${restartCount}`];
      }),
    );
  };

  /** Writes, one after the other, until the server is gone; remembers what it acknowledged. */
  const write = async (round: number, stopped: () => boolean): Promise<void> => {
    for (let n = 0; !stopped(); n++) {
      const name = `written-${n % 16}`;
      const word = `${round}-${n}`;
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { word } });
      const path = `/api/v1/namespaces/default/configmaps/${name}?fieldManager=test&force=true`;
      const headers = { 'content-type': 'application/apply-patch+yaml', 'content-length': String(body.length) };
      const status = await cluster.host
        .fetch(`http://127.0.0.1:${PROXY_PORT}${path}`, { method: 'PATCH', headers, body, timeoutMs: 3_000 })
        .then(
          (answer) => answer.status,
          () => 0,
        );
      if (status !== 200 && status !== 201) {
        // Cut off: it may have been stored all the same.
        unknown.set(name, (unknown.get(name) ?? new Set()).add(word));
        return;
      }
      acknowledged.set(name, word);
      unknown.delete(name);
    }
  };

  for (let round = 0; round < ROUNDS; round++) {
    const momentMs = Math.floor(400 + random.next() * 2_000);
    test(`round ${round + 1}: after ${momentMs} ms`, async () => {
      const before = await containersOf('steady');
      assert.equal(Object.keys(before).length, 2);
      let stopped = false;
      const writing = write(round, () => stopped);
      await until('writes are acknowledged', () => acknowledged.size > 0);
      // Pods are being made and removed at that moment.
      const churn = kubectl(`create deployment churn-${round} --image=busybox --replicas=2 -- sleep 86400`).catch(
        () => '',
      );
      await delay(momentMs);
      await cluster.kill();
      stopped = true;
      await Promise.all([writing, churn]);
      await cluster.start();
      const { items } = await cluster.kubectl.json('get configmaps');
      for (const [name, word] of acknowledged) {
        const found = items.find(({ metadata }: any) => metadata.name === name)?.data.word;
        assert.ok(found === word || unknown.get(name)?.has(found), `${name} is ${found}, and ${word} was acknowledged`);
      }
      const churns = await kubectl('get deployments -o jsonpath={.items[*].metadata.name}');
      for (const name of churns.split(' ')) await kubectl(`rollout status deployment/${name} --timeout=30s`);
      assert.deepEqual(await containersOf('steady'), before, 'containers that are well are not started again');
      if (churns.includes(`churn-${round}`)) await kubectl(`delete deployment churn-${round} --wait=false`);
    });
  }
});
