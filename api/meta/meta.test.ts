import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path, textOf } from '../../libs/machinery/field-errors.ts';
import {
  canonicalCidrProblem,
  canonicalIpProblem,
  cidrProblem,
  cidrWarnings,
  ipProblem,
  ipWarnings,
} from './addresses.ts';
import { firstFew } from './columns.ts';
import { internalJson } from './internal-form.ts';
import { validateLabelSelector } from './label-selector.ts';
import { jsonDiff } from './line-diff.ts';

test('addresses and networks: strict, and canonical where it is asked for', () => {
  const cases: [(text: string) => string | undefined, string, RegExp | undefined][] = [
    [ipProblem, '192.0.2.1', undefined],
    [ipProblem, '192.0.2.01', /leading 0s/],
    [ipProblem, '::ffff:192.0.2.1', /IPv4-mapped/],
    [ipProblem, '192.0.2', /must be a valid IP address/],
    [ipProblem, '2001:DB8::1', undefined],
    [canonicalIpProblem, '2001:DB8::1', /canonical form \("2001:db8::1"\)/],
    [cidrProblem, '192.0.2.0/24', undefined],
    [cidrProblem, '192.0.2.5/24', /bits set beyond/],
    [cidrProblem, '192.0.02.0/24', /leading 0s/],
    [canonicalCidrProblem, 'FD00::/112', /canonical form \("fd00::\/112"\)/],
  ];
  for (const [problem, text, wanted] of cases) {
    if (wanted) assert.match(problem(text) ?? '', wanted, text);
    else assert.equal(problem(text), undefined, text);
  }
  assert.match(ipWarnings('2001:DB8::1', path('x'))[0] ?? '', /^x: IPv6 address "2001:DB8::1" should be in RFC 5952/);
  assert.match(cidrWarnings('192.0.2.5/24', path('x'))[0] ?? '', /ambiguous .*"192.0.2.0\/24" or "192.0.2.5\/32"/);
  assert.deepEqual(ipWarnings('192.0.2.1', path('x')), []);
});

test('label selectors', () => {
  const selector = {
    matchLabels: { 'bad key': 'v' },
    matchExpressions: [
      { key: 'k', operator: 'In' },
      { key: 'k', operator: 'Exists', values: ['a'] },
      { key: 'k', operator: 'X' },
    ],
  };
  const errors = validateLabelSelector(selector, path('s')).map(textOf);
  assert.match(errors[0] ?? '', /^s.matchLabels: Invalid value: "bad key"/);
  assert.deepEqual(errors.slice(1), [
    "s.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    "s.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    's.matchExpressions[2].operator: Invalid value: "X": not a valid selector operator',
  ]);
  assert.deepEqual(validateLabelSelector(undefined, path('s')), []);
});

test('structs are shown whole, with their inner names', () => {
  assert.equal(
    internalJson('core.v1.ServicePort', { port: 80, protocol: 'TCP' }),
    '{"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
  );
  assert.equal(
    internalJson('resource.v1.ResourceClaimSpec', undefined),
    '{"Devices":{"Requests":null,"Constraints":null,"Config":null}}',
  );
});

test('changes are shown with three lines around them', () => {
  const before = { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8 };
  const diff = jsonDiff(before, { ...before, e: 0 });
  assert.equal(
    diff,
    '@@ -3,7 +3,7 @@\n  "b": 2,\n  "c": 3,\n  "d": 4,\n- "e": 5,\n+ "e": 0,\n  "f": 6,\n  "g": 7,\n  "h": 8\n',
  );
  assert.equal(jsonDiff(before, before), '');
});

test('long lists are cut in tables', () => {
  assert.equal(firstFew(['a', 'b'], '*'), 'a,b');
  assert.equal(firstFew(['a', 'b', 'c', 'd', 'e'], '*'), 'a,b,c + 2 more...');
  assert.equal(firstFew([], '*'), '*');
});
