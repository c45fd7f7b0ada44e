import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../libs/base/random.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import { MemoryHost } from '../../../libs/testing/memory-host.ts';
import type { CriClient } from '../../cri/cri.ts';
import { simulatedCriClient } from '../../cri/fake/client.ts';
import { SimulatedImages } from '../../cri/fake/image.ts';
import { SimulatedNetwork } from '../../cri/fake/network.ts';
import { SimulatedRuntime } from '../../cri/fake/runtime.ts';
import { LABEL } from '../containers/labels.ts';
import { PodObserver } from './observer.ts';

const UID = '6f1b2f0a-0000-4000-8000-000000000001';

/** A runtime with one pod of two containers, `a` running and `b` made, and the names of the calls that were asked of it. */
async function runtimeWithPod() {
  const clock = new VirtualClock({ turn: () => new Promise((resolve) => setImmediate(resolve)) });
  const runtime = new SimulatedRuntime({
    clock,
    random: new SeededRandom(1),
    images: new SimulatedImages(),
    network: new SimulatedNetwork(),
  });
  const plain = simulatedCriClient(runtime);
  const asked: string[] = [];
  let broken = false;
  const cri = new Proxy(plain, {
    get(target, name) {
      const call = target[name as keyof CriClient] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        asked.push(String(name));
        return broken ? Promise.reject(new Error('away')) : call.apply(target, args);
      };
    },
  });
  const labels = (container?: string) => ({
    [LABEL.podUid]: UID,
    ...(container && { [LABEL.containerName]: container }),
  });
  const config = { metadata: { name: 'web', namespace: 'default', uid: UID, attempt: 0 }, labels: labels() };
  const done = async <T>(promise: Promise<T>): Promise<T> => {
    await clock.advance(10);
    return promise;
  };
  await done(plain.pullImage({ image: { image: 'web:1' } }));
  const { podSandboxId } = await done(plain.runPodSandbox({ config }));
  const create = async (name: string) => {
    const container = { metadata: { name, attempt: 0 }, image: { image: 'web:1' }, labels: labels(name) };
    return (await done(plain.createContainer({ podSandboxId, config: container, sandboxConfig: config }))).containerId;
  };
  const [a, b] = [await create('a'), await create('b')];
  await done(plain.startContainer({ containerId: a }));
  const options = { cri, host: new MemoryHost({ clock }), clock, uid: UID };
  return {
    plain,
    done,
    podSandboxId,
    a,
    b,
    options,
    breaks: (now: boolean) => (broken = now),
    /** What is seen, and what was asked for it. */
    async look(observer: PodObserver): Promise<string> {
      asked.length = 0;
      const { sandboxes, containers } = await observer.observe();
      const states = [...containers]
        .sort((x, y) => x.name.localeCompare(y.name))
        .map((one) => `${one.name}=${one.state}`);
      const ready = sandboxes.map((one) => (one.ready ? 'ready' : 'down'));
      return `${[...ready, ...states].join(' ')} | ${[...asked].sort().join(' ')}`;
    },
  };
}

const LISTS = 'listContainers listPodSandbox';

test('a pod of which nothing is known is listed; then only what changed is asked for', async () => {
  const at = await runtimeWithPod();
  const observer = new PodObserver({ ...at.options, fresh: false });
  assert.equal(
    await at.look(observer),
    `ready a=running b=created | containerStatus containerStatus ${LISTS} podSandboxStatus`,
  );
  assert.equal(await at.look(observer), 'ready a=running b=created | ');
  await at.done(at.plain.startContainer({ containerId: at.b }));
  observer.containerChanged(at.b, at.podSandboxId);
  assert.equal(await at.look(observer), 'ready a=running b=running | containerStatus');
  await at.done(at.plain.stopContainer({ containerId: at.a, timeout: 0 }));
  observer.doubt();
  assert.equal(await at.look(observer), `ready a=exited b=running | containerStatus ${LISTS}`);
  await at.done(at.plain.removeContainer({ containerId: at.a }));
  observer.containerChanged(at.a, at.podSandboxId);
  assert.equal(await at.look(observer), 'ready b=running | containerStatus');
  await at.done(at.plain.stopPodSandbox({ podSandboxId: at.podSandboxId }));
  observer.sandboxChanged(at.podSandboxId);
  assert.equal(await at.look(observer), 'down b=running | podSandboxStatus', 'a listing tells of the container');
  observer.doubt();
  assert.equal(await at.look(observer), `down b=exited | containerStatus ${LISTS}`);
});

test('of a fresh pod nothing is asked', async () => {
  const at = await runtimeWithPod();
  const observer = new PodObserver({ ...at.options, fresh: true });
  assert.equal(await at.look(observer), ' | ');
});

test('after a question without an answer everything is asked for', async () => {
  const at = await runtimeWithPod();
  const observer = new PodObserver({ ...at.options, fresh: true });
  observer.sandboxChanged(at.podSandboxId);
  at.breaks(true);
  await assert.rejects(at.look(observer), /away/);
  at.breaks(false);
  assert.match(await at.look(observer), /^ready a=running b=created \| .*listPodSandbox/);
});
