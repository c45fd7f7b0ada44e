import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransportError } from '../kind/client.ts';
import { forbidden } from '../machinery/errors.ts';
import { MetricSet } from '../metrics/metrics.ts';
import { restClientMetrics } from '../metrics/rest-client.ts';
import { observedTransport } from './observed-transport.ts';
import type { Transport, TransportRequest } from './transport.ts';

test('requests are counted by method and answer, and timed; those without an answer too', async () => {
  const metrics = new MetricSet();
  let nowMs = 0;
  const answers: Transport = {
    async request({ path }) {
      nowMs += 500;
      if (path === '/gone') throw new TransportError('no way', { sent: false });
      return { code: path === '/no' ? 404 : 200, headers: {}, value: undefined };
    },
    async watch({ path }) {
      if (path === '/gone') throw new TransportError('no way', { sent: false });
      if (path === '/no') throw forbidden({ group: '', resource: 'pods' }, 'a', 'no');
      return { close() {} };
    },
    close: async () => {},
  };
  const clock = { monotonic: () => nowMs } as Parameters<typeof observedTransport>[1];
  const transport = observedTransport(answers, clock, restClientMetrics(metrics, 'host:6443'));
  const of = (method: string, path: string): TransportRequest => ({ method, path, query: '', headers: {} });
  const sink = { event() {}, ended() {} };
  await transport.request(of('GET', '/'));
  await transport.request(of('GET', '/'));
  await transport.request(of('PUT', '/no'));
  await assert.rejects(transport.request(of('GET', '/gone')), TransportError);
  await transport.watch(of('GET', '/'), sink);
  await assert.rejects(transport.watch(of('GET', '/no'), sink), { code: 403 });
  await assert.rejects(transport.watch(of('GET', '/gone'), sink), TransportError);
  const text = metrics.text();
  assert.deepEqual(text.match(/^rest_client_requests_total.*$/gm)?.toSorted(), [
    'rest_client_requests_total{code="200",method="GET",host="host:6443"} 3',
    'rest_client_requests_total{code="403",method="GET",host="host:6443"} 1',
    'rest_client_requests_total{code="404",method="PUT",host="host:6443"} 1',
    'rest_client_requests_total{code="<error>",method="GET",host="host:6443"} 2',
  ]);
  assert.match(text, /^rest_client_request_duration_seconds_sum\{verb="GET",host="host:6443"\} 1\.5$/m);
  assert.match(text, /^rest_client_request_duration_seconds_count\{verb="GET",host="host:6443"\} 6$/m);
});
