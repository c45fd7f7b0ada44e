import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError, kubeletConfiguration } from './configuration.ts';

test('what is written down is what the kubelet goes by', () => {
  const config = kubeletConfiguration({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    maxPods: 30,
    podPidsLimit: 200,
    containerLogMaxSize: '5Mi',
    containerLogMaxFiles: 3,
    containerLogMonitorInterval: '3s',
    imageGCHighThresholdPercent: 70,
    imageGCLowThresholdPercent: 60,
    imageMinimumGCAge: '1m30s',
    imageMaximumGCAge: '336h',
    serializeImagePulls: true,
    evictionHard: { 'nodefs.available': '5%', 'memory.available': '200Mi' },
    evictionSoft: { 'memory.available': '300Mi' },
    evictionSoftGracePeriod: { 'memory.available': '1m' },
    systemReserved: { memory: '500Mi' },
  });
  assert.deepEqual(config, {
    maxPods: 30,
    podPidsLimit: 200,
    containerLogMaxSizeBytes: 5 * 2 ** 20,
    containerLogMaxFiles: 3,
    containerLogMonitorIntervalMs: 3_000,
    imageGCHighThresholdPercent: 70,
    imageGCLowThresholdPercent: 60,
    imageMinimumGCAgeMs: 90_000,
    imageMaximumGCAgeMs: 14 * 86_400_000,
    maxParallelImagePulls: 1,
    evictionHard: { 'nodefs.available': '5%', 'memory.available': '200Mi' },
    evictionSoft: { 'memory.available': '300Mi' },
    evictionSoftGracePeriod: { 'memory.available': '1m' },
    systemReserved: { memory: '500Mi' },
  });
  assert.deepEqual(kubeletConfiguration({}), {});
  assert.deepEqual(kubeletConfiguration({ imageMaximumGCAge: '0s' }), { imageMaximumGCAgeMs: 0 });
});

const REFUSED: [string, unknown, RegExp][] = [
  ['nothing', null, /holds no KubeletConfiguration/],
  ['a list', [], /holds no KubeletConfiguration/],
  ['another kind', { kind: 'Pod' }, /holds a "Pod"/],
  ['another version', { apiVersion: 'v2' }, /apiVersion is "v2"/],
  ['a field that nobody reads', { cpuManagerPolicy: 'static' }, /no field "cpuManagerPolicy"/],
  ['a name of every object', { toString: 1 }, /no field "toString"/],
  ['a word for a number', { maxPods: 'many' }, /maxPods wants a whole number of at least 0/],
  ['a part of a number', { maxPods: 1.5 }, /maxPods wants a whole number/],
  ['more than all', { imageGCHighThresholdPercent: 101 }, /from 0 to 100/],
  ['low above high', { imageGCLowThresholdPercent: 90 }, /must not be above/],
  ['no image as old as the youngest that goes', { imageMaximumGCAge: '1m' }, /imageMaximumGCAge must be above/],
  ['no duration', { syncFrequency: 'soon' }, /syncFrequency wants a duration/],
  ['a number for a duration', { syncFrequency: 10 }, /syncFrequency wants a duration/],
  ['no size', { containerLogMaxSize: 'big' }, /containerLogMaxSize wants a quantity/],
  ['one log file', { containerLogMaxFiles: 1 }, /at least 2/],
  ['a signal that is none', { evictionHard: { 'moon.full': '1' } }, /unknown eviction signal moon\.full/],
  ['a threshold without its grace', { evictionSoft: { 'memory.available': '1Gi' } }, /grace period must be specified/],
  ['no words', { evictionHard: { 'nodefs.available': 5 } }, /evictionHard wants names with words/],
];

for (const [name, content, why] of REFUSED) {
  test(`refused: ${name}`, () =>
    assert.throws(
      () => kubeletConfiguration(content),
      (error) => error instanceof ConfigurationError && why.test(error.message),
    ));
}
