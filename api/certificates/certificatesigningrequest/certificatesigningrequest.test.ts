import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { path, textOf } from '../../../libs/machinery/field-errors.ts';
import type { CertificateSigningRequest } from '../../types/certificates/v1.generated.ts';
import { approvalStrategy, statusStrategy, strategy } from './strategy.ts';
import { validateSignerName } from './validation.ts';

const ctx = {
  nowMs: Date.parse('2026-01-02T03:04:05Z'),
  user: { name: 'jane', uid: 'u', groups: ['dev'], extra: { team: ['blue'] } },
} as unknown as RequestContext;
const request = btoa('-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n');
const csr = (conditions?: object[]): CertificateSigningRequest =>
  ({
    metadata: { name: 'c' },
    spec: { request, signerName: 'example.com/signer', usages: ['client auth'], username: 'mallory' },
    ...(conditions ? { status: { conditions } } : {}),
  }) as CertificateSigningRequest;

test('who asks is who is authenticated', () => {
  const draft = csr();
  strategy.prepareForCreate?.(ctx, draft);
  const { username, uid, groups, extra } = draft.spec;
  assert.deepEqual(
    { username, uid, groups, extra },
    { username: 'jane', uid: 'u', groups: ['dev'], extra: { team: ['blue'] } },
  );
  assert.deepEqual(strategy.validate?.(draft as never, ctx), []);
});

test('signers', () => {
  const cases: [string, RegExp | undefined][] = [
    ['example.com/signer', undefined],
    ['', /Required value/],
    ['noslash', /of the form 'example.com\/signer-name'/],
    ['a/b', /at least two segments/],
  ];
  for (const [name, wanted] of cases) {
    const errors = validateSignerName(name, path('s')).map(textOf).join();
    if (wanted) assert.match(errors, wanted);
    else assert.equal(errors, '');
  }
});

test('only approval approves, and tells when', () => {
  const approved = [{ type: 'Approved', status: 'True' }];
  const through = (rules: typeof statusStrategy, conditions: object[], old = csr()) => {
    const draft = csr(conditions);
    rules.prepareForUpdate?.(ctx, draft, old as never);
    return { draft, errors: (rules.validateUpdate?.(draft as never, old as never, ctx) ?? []).map(textOf) };
  };
  const { draft, errors } = through(approvalStrategy, approved);
  assert.deepEqual(errors, []);
  assert.equal(draft.status?.conditions?.[0]?.lastUpdateTime, '2026-01-02T03:04:05Z');
  assert.match(through(statusStrategy, approved).errors[0] ?? '', /may not add a condition of type "Approved"/);
  assert.match(
    through(approvalStrategy, [...approved, { type: 'Denied', status: 'True' }]).errors[0] ?? '',
    /mutually exclusive/,
  );
  assert.match(through(approvalStrategy, [], csr(approved)).errors[0] ?? '', /may not remove a condition/);
});

test('certificates: what may be signed into a request, once', () => {
  const pem = (type: string, body = 'MAA=\n') => btoa(`-----BEGIN ${type}-----\n${body}-----END ${type}-----\n`);
  const signed = (certificate: string): CertificateSigningRequest => ({ ...csr(), status: { certificate } });
  const good = pem('CERTIFICATE');
  const data = 'status.certificate: Invalid value: "<certificate data>": ';
  const cases: [string, string, string[]][] = [
    ['', good, []],
    [good, good, []],
    ['', btoa('certificate'), [`${data}must contain at least one CERTIFICATE PEM block`]],
    ['', pem('PRIVATE KEY'), [`${data}only CERTIFICATE PEM blocks are allowed, found "PRIVATE KEY"`]],
    ['', pem('CERTIFICATE', 'a: b\n\nMAA=\n'), [`${data}no PEM block headers are permitted`]],
    [good, '', ['status.certificate: Forbidden: updates may not modify existing certificate content']],
    [
      good,
      pem('CERTIFICATE', 'MAE=\n'),
      ['status.certificate: Forbidden: updates may not modify existing certificate content'],
    ],
  ];
  for (const [was, now, wanted] of cases) {
    const errors = statusStrategy.validateUpdate?.(signed(now) as never, signed(was) as never, ctx) ?? [];
    assert.deepEqual(errors.map(textOf), wanted);
  }
});
