// Every metric that upstream promises (STABLE and BETA) is told by the component that tells it there, with the same
// type, labels and bounds.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { componentMetrics } from '../../bin/compose/component-metrics.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { deprecatedSince, stabilityOf } from '../../libs/metrics/stability.ts';
import type { MemoryHost } from '../../libs/testing/memory-host.ts';
import { ProxyMetrics } from '../../node/kube-proxy/metrics.ts';
import { kubeletMetrics, resourceMetrics } from '../../node/kubelet/server/metrics.ts';
import { controlPlane } from '../fixtures/component-ports.ts';
import { simulatedNode } from '../fixtures/simulated-node.ts';
import { needs, REFERENCE } from '../needs.ts';

interface Promised {
  readonly name: string;
  readonly namespace?: string;
  readonly subsystem?: string;
  readonly type: 'Counter' | 'Gauge' | 'Histogram' | 'Custom';
  readonly stabilityLevel: 'STABLE' | 'BETA';
  readonly deprecatedVersion?: string;
  readonly labels?: readonly string[];
  readonly buckets?: readonly (number | string)[];
}

/** What Tutti has not, and so says nothing about. */
const NOT_HERE: readonly RegExp[] = [
  // Authentication and authorization are not configured by files that are read again.
  /^apiserver_auth(?:entication|orization)_config_controller_/,
  // Kinds are validated in one way, so that there is nothing to compare it with.
  /^apiserver_validation_declarative_validation_/,
];

type Place = 'apiserver' | 'slis' | 'controllers' | 'scheduler' | 'pods' | 'kubelet' | 'resource' | 'kube-proxy';

/** Who tells it, by its name. */
const PLACES: readonly (readonly [RegExp, readonly Place[]])[] = [
  [/^kubernetes_healthchecks?/, ['slis']],
  [
    /^(?:kubernetes_|registered_|hidden_|disabled_)/,
    ['apiserver', 'controllers', 'scheduler', 'kubelet', 'kube-proxy'],
  ],
  [/^apiserver_/, ['apiserver']],
  [/^kube_pod_resource_/, ['pods']],
  [/^scheduler_/, ['scheduler']],
  [/^(?:container_|node_cpu|node_memory|pod_|resource_scrape)/, ['resource']],
  [/^(?:kubelet_|prober_)/, ['kubelet']],
  [/^/, ['controllers']],
];

const TYPES: Readonly<Record<string, string>> = { Counter: 'counter', Gauge: 'gauge', Histogram: 'histogram' };

/** What a text says of a metric: its type, and of its rows, where there are any, the labels and bounds. */
function read(text: string, name: string) {
  const type = new RegExp(`^# TYPE ${name} (\\S+)$`, 'm').exec(text)?.[1];
  const rows = [...text.matchAll(new RegExp(`^${name}(?:_bucket)?(?:\\{(.*)\\})? \\S+(?: \\d+)?$`, 'gm'))];
  const labels = rows[0] && [...(rows[0][1] ?? '').matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label]) => label);
  const bounds = new Set(rows.map(([, of]) => /le="([^"]+)"/.exec(of ?? '')?.[1]).filter((one) => one !== undefined));
  return {
    type,
    labels: labels?.filter((label) => label !== 'le').sort(),
    bounds: [...bounds].filter((bound) => bound !== '+Inf'),
  };
}

/** A machine that says what it uses. */
async function withProc({ files }: MemoryHost): Promise<void> {
  await files.makeDirectory('/proc');
  await files.write('/proc/stat', 'cpu  10 0 10 100 0 0 0 0 0 0\nbtime 1700000000\n');
  await files.write('/proc/meminfo', 'MemTotal: 2000 kB\nMemAvailable: 1000 kB\n');
}

/** What all components tell, and what they would tell of what has not happened yet. */
async function scrape() {
  await using plane = await controlPlane();
  const token = plane.tokenOf('admin', 'system:masters');
  const at = async (port: number, path: string) => (await plane.ask(port, path, token))[1];
  const { server } = plane.around;
  const ask = async (path: string) => {
    const { signal } = new AbortController();
    const headers = { authorization: `Bearer ${token}` };
    const request = { method: 'GET', path, query: '', headers, body: undefined, peer: { address: '' }, signal };
    const { body } = await server.handle(request);
    return body.form === 'whole' ? String(body.value()) : '';
  };
  await using node = await simulatedNode({ images: { 'web:1': {} }, prepare: withProc });
  await node.create('web', { containers: [{ name: 'main', image: 'web:1' }] });
  await node.advance('5s');
  const common = componentMetrics(plane.around.machine, '').metrics;
  const { set } = node.kubelet.env.metrics;
  const proxy = componentMetrics(plane.around.machine, '', new MetricSet()).metrics;
  new ProxyMetrics(plane.clock, proxy);
  const texts: Record<Place, string> = {
    apiserver: await ask('/metrics'),
    slis: await ask('/metrics/slis'),
    controllers: await at(10_257, '/metrics'),
    scheduler: await at(10_259, '/metrics'),
    pods: await at(10_259, '/metrics/resources'),
    kubelet: common.text() + (await kubeletMetrics(node.kubelet)),
    resource: await resourceMetrics(node.kubelet),
    'kube-proxy': proxy.text(),
  };
  const families = [...(server.metrics?.families ?? []), ...set.families];
  return { texts, families: new Map(families.map((family) => [family.name, family])) };
}

test('metrics that upstream promises are told as it tells them', { skip: needs('reference') }, async () => {
  const promised = load(readFileSync(join(REFERENCE, 'stable-metrics.yaml'), 'utf8')) as Promised[];
  const { texts, families } = await scrape();
  const wrong: string[] = [];
  let checked = 0;
  for (const one of promised) {
    const name = [one.namespace, one.subsystem, one.name].filter(Boolean).join('_');
    if (NOT_HERE.some((pattern) => pattern.test(name))) continue;
    checked++;
    const say = (what: string, is: unknown, wanted: unknown) => {
      if (JSON.stringify(is) !== JSON.stringify(wanted))
        wrong.push(`${name}: ${what} ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`);
    };
    say('stability', stabilityOf(name), one.stabilityLevel);
    say('deprecated', deprecatedSince(name), one.deprecatedVersion ?? '');
    const labels = [...(one.labels ?? [])].sort();
    const family = families.get(name);
    if (family) say('labels', family.labels.toSorted(), labels);
    if (family?.buckets && one.buckets) say('buckets', family.buckets, one.buckets.map(Number));
    for (const place of PLACES.find(([pattern]) => pattern.test(name))?.[1] ?? []) {
      const found = read(texts[place], name);
      if (found.type === undefined) {
        wrong.push(`${name}: not told by ${place}`);
        continue;
      }
      if (one.type !== 'Custom') say(`type at ${place}`, found.type, TYPES[one.type]);
      if (found.labels) say(`labels at ${place}`, found.labels, labels);
      if (one.type === 'Histogram' && found.bounds.length > 0 && one.buckets)
        say(`bounds at ${place}`, found.bounds.map(Number), one.buckets.map(Number));
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(checked > 80, String(checked));
});

test('what components tell is well formed', async () => {
  const { texts } = await scrape();
  for (const [place, text] of Object.entries(texts)) {
    const seen = new Set<string>();
    let name = '';
    for (const line of text.split('\n').slice(0, -1)) {
      const [, word, of = ''] = /^# (HELP|TYPE) (\w+) \S/.exec(line) ?? [];
      if (word === 'HELP') {
        assert.ok(place === 'kubelet' || !seen.has(of), `${place}: ${of} is told twice`);
        seen.add(of);
        name = of;
      } else if (word === 'TYPE') assert.equal(of, name, place);
      else {
        const row =
          /^(\w+?)(?:_bucket|_sum|_count)?(?:\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (?:[-+]?\d\S*|[-+]Inf)(?: \d+)?$/.exec(
            line,
          );
        assert.ok(row && line.startsWith(name), `${place}: ${line}`);
      }
    }
    assert.ok(seen.size > 0 || place === 'pods', place);
  }
});
