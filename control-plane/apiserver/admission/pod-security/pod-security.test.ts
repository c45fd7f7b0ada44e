import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Container, PodSpec } from '../../../../api/types/core/v1.generated.ts';
import { detailText, policyOf, textOf, violations } from './policy.ts';

const LATEST = Number.POSITIVE_INFINITY;

const container = (more: Partial<Container> = {}): Container => ({ name: 'a', image: 'i', ...more });
const pod = (spec: Partial<PodSpec> = {}, metadata = {}) => ({
  metadata,
  spec: { containers: [container()], ...spec },
});
const secured = (securityContext: Container['securityContext']) =>
  pod({ containers: [container({ securityContext })] });

suite('what the baseline does not allow', () => {
  const cases: [title: string, given: ReturnType<typeof pod>, told: string, minor?: number][] = [
    ['nothing special', pod(), ''],
    ['host namespaces', pod({ hostNetwork: true, hostPID: true }), 'host namespaces (hostNetwork=true, hostPID=true)'],
    [
      'privileged, init containers first',
      pod({
        containers: [container({ securityContext: { privileged: true } })],
        initContainers: [container({ name: 'i', securityContext: { privileged: true } })],
      }),
      'privileged (containers "i", "a" must not set securityContext.privileged=true)',
    ],
    [
      'capabilities beyond the default ones',
      secured({ capabilities: { add: ['NET_ADMIN', 'KILL'] } }),
      'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    ['host paths', pod({ volumes: [{ name: 'h', hostPath: { path: '/' } }] }), 'hostPath volumes (volume "h")'],
    [
      'a sysctl that no version knows',
      pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }),
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      'a sysctl that a later version allows',
      pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] } }),
      'forbidden sysctls (net.ipv4.tcp_rmem)',
      31,
    ],
    ['the same, later', pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] } }), '', 32],
    [
      'SELinux',
      secured({ seLinuxOptions: { type: 'x', user: 'u' } }),
      'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
    ],
    [
      'procMount',
      secured({ procMount: 'Unmasked' }),
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      'procMount in a user namespace',
      { ...secured({ procMount: 'Unmasked' }), spec: { ...secured({ procMount: 'Unmasked' }).spec, hostUsers: false } },
      '',
    ],
  ];
  for (const [title, given, told, minor = LATEST] of cases) {
    test(title, () => assert.equal(detailText(violations({ level: 'baseline', minor }, given)), told));
  }
});

suite('what the restricted level does not allow', () => {
  const good: Container['securityContext'] = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const cases: [title: string, given: ReturnType<typeof pod>, reasons: string][] = [
    ['a hardened pod', secured(good), ''],
    [
      'a plain pod',
      pod(),
      'allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile',
    ],
    ['root', secured({ ...good, runAsUser: 0 }), 'runAsUser=0'],
    [
      'its own form of a baseline check, once',
      secured({ ...good, capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } }),
      'unrestricted capabilities',
    ],
    [
      'volumes',
      { ...secured(good), spec: { ...secured(good).spec, volumes: [{ name: 'h', hostPath: { path: '/' } }] } },
      'restricted volume types',
    ],
    [
      'Windows',
      {
        ...secured({ runAsNonRoot: true }),
        spec: { ...secured({ runAsNonRoot: true }).spec, os: { name: 'windows' } },
      },
      '',
    ],
  ];
  for (const [title, given, reasons] of cases) {
    test(title, () => {
      const found = violations({ level: 'restricted', minor: LATEST }, given);
      assert.equal(found.map(({ reason }) => reason).join(', '), reasons);
    });
  }
});

suite('labels', () => {
  const of = (labels: Record<string, string>) =>
    policyOf(
      Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value])),
    );
  test('levels and versions', () => {
    const { policy, errors } = of({ enforce: 'baseline', 'enforce-version': 'v1.24', warn: 'restricted' });
    assert.deepEqual(errors, []);
    assert.equal(textOf(policy.enforce), 'baseline:v1.24');
    assert.equal(textOf(policy.warn), 'restricted:latest');
    assert.equal(textOf(policy.audit), 'privileged:latest');
  });
  test('what is neither', () => {
    const { errors } = of({ enforce: 'nonsense', 'warn-version': '1.24' });
    assert.deepEqual(
      errors.map(({ field }) => field),
      [
        'metadata.labels[pod-security.kubernetes.io/enforce]',
        'metadata.labels[pod-security.kubernetes.io/warn-version]',
      ],
    );
  });
});
