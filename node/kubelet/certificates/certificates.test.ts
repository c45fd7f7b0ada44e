import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateSigningRequests } from '../../../api/resources.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates/v1.generated.ts';
import { decodeBase64, encodeBase64 } from '../../../libs/base/base64.ts';
import type { ParsedCertificate } from '../../../libs/base/keys.ts';
import { FixedKeys } from '../../../libs/base/node/fixed-keys.ts';
import { createClient } from '../../../libs/client/client.ts';
import { FakeApi } from '../../../libs/client/fakes.ts';
import type { Live } from '../../../libs/kind/object.ts';
import { virtualTest } from '../../../libs/testing/virtual-test.ts';
import { nodeSubject, planCertificate, renewalTime, servingNames, type WantedCertificate } from './plan.ts';
import { CertificateRotation } from './rotation.ts';
import { outcomeOf } from './signing-request.ts';

const HOUR_MS = 3_600_000;
const wantedClient: WantedCertificate = { subject: nodeSubject('node-1'), names: {} };

test('what is asked for, and when', async (t) => {
  const held = (more: Partial<ParsedCertificate> = {}) =>
    ({
      subject: nodeSubject('node-1'),
      names: { ip: ['10.0.0.1'] },
      notBeforeMs: 0,
      notAfterMs: 1000,
      ...more,
    }) as ParsedCertificate;
  const names = (ip: string[]): WantedCertificate => ({ subject: nodeSubject('node-1'), names: { ip } });
  const cases: [string, ParsedCertificate | undefined, WantedCertificate | undefined, number, string][] = [
    ['nothing while nobody knows what', undefined, undefined, 0, 'wait'],
    ['the first one', undefined, wantedClient, 0, 'request none'],
    ['nothing at 69 %', held(), wantedClient, 690, 'keep 800'],
    ['nothing just before its time', held(), wantedClient, 799, 'keep 800'],
    ['a new one at its time', held(), wantedClient, 800, 'request due'],
    ['a new one when it has run out', held(), wantedClient, 1000, 'request expired'],
    ['nothing for a name that it has', held(), names(['10.0.0.1']), 0, 'keep 800'],
    ['a new one for a new address', held(), names(['10.0.0.1', '10.0.0.2']), 0, 'request names'],
    ['a new one for another node', held({ subject: nodeSubject('node-2') }), wantedClient, 0, 'request subject'],
  ];
  for (const [name, of, wanted, nowMs, expected] of cases) {
    await t.test(name, () => {
      const action = planCertificate({ held: of, wanted, nowMs, share: 0.5 });
      const more = action.type === 'request' ? ` ${action.why}` : action.type === 'keep' ? ` ${action.renewAtMs}` : '';
      assert.equal(action.type + more, expected);
    });
  }
  assert.equal(renewalTime({ notBeforeMs: 0, notAfterMs: 1000 }, 0), 700);
  assert.equal(renewalTime({ notBeforeMs: 0, notAfterMs: 1000 }, 0.999), 900);
});

test('a server is called as its node is reached', () => {
  const addresses = [
    { type: 'InternalIP', address: '10.0.0.2' },
    { type: 'InternalIP', address: '10.0.0.1' },
    { type: 'Hostname', address: 'node-1' },
  ];
  assert.deepEqual(servingNames(addresses), { ip: ['10.0.0.1', '10.0.0.2'], dns: ['node-1'] });
  assert.equal(servingNames([]), undefined);
});

test('a denial counts even beside an approval', () => {
  const metadata = { name: 'one' };
  const condition = (type: string) => ({ type, status: 'True', reason: 'No', message: 'not you' });
  const of = (...types: string[]) =>
    outcomeOf({
      metadata,
      status: { conditions: types.map(condition), certificate: 'QQ==' },
    } as CertificateSigningRequest);
  assert.equal(of().type, 'waiting');
  assert.deepEqual(of('Approved'), { type: 'issued', certificatePem: 'A' });
  const message = 'certificate signing request one is denied, reason: No, message: not you';
  assert.deepEqual(of('Approved', 'Denied'), { type: 'refused', message });
});

/** Each key is a new one, though the purpose is the same. */
class FreshKeys extends FixedKeys {
  #made = 0;
  override generateKey(purpose: string) {
    return super.generateKey(`${purpose} ${this.#made++}`);
  }
}

/** A rotation, and an API in which nobody approves until the test does. */
async function world(options: { purpose?: 'client' | 'serving'; wanted?: () => WantedCertificate | undefined } = {}) {
  const { clock, keys, random, host, log } = virtualTest();
  const api = new FakeApi(clock);
  const client = createClient(api, { clock });
  const resource = client.resource(certificateSigningRequests);
  const authorityKey = await keys.generateKey('authority');
  const span = () => ({ notBeforeMs: clock.now(), notAfterMs: clock.now() + 10 * HOUR_MS });
  const authorityPem = await keys.issueCertificate({
    subject: { commonName: 'kubernetes' },
    publicKey: authorityKey,
    isCertificateAuthority: true,
    usages: ['cert sign'],
    ...span(),
  });
  const askedBy: string[] = [];
  const fresh = new FreshKeys(1);
  const begin = () =>
    new CertificateRotation({
      purpose: options.purpose ?? 'client',
      client: (held) => (askedBy.push(held ? 'itself' : 'token'), client),
      wanted: options.wanted ?? (() => wantedClient),
      files: host.files,
      keys: fresh,
      clock,
      random,
      log,
      folder: '/pki',
    });
  const decide = async (request: Live<CertificateSigningRequest>, type: 'Approved' | 'Denied') => {
    const pem = new TextDecoder().decode(decodeBase64(request.spec.request)!);
    const parsed = await keys.parseCertificateSigningRequest(pem);
    const certificatePem = await keys.issueCertificate(
      {
        subject: parsed.subject,
        names: parsed.names,
        publicKey: parsed.publicKeyPem,
        usages: ['client auth'],
        ...span(),
      },
      { key: authorityKey, certificatePem: authorityPem },
    );
    const certificate = encodeBase64(certificatePem);
    const conditions = [{ type, status: 'True', reason: 'Because', message: 'so' }];
    await resource.patch(
      request.metadata.name,
      { status: { conditions, ...(type === 'Approved' && { certificate }) } },
      { type: 'merge' },
    );
  };
  const open = async () => {
    const { items } = await resource.list();
    return items.filter(({ status }) => !status?.conditions);
  };
  return { clock, host, api, resource, begin, decide, open, askedBy };
}

test('from a token to a certificate, and on to the next ones', async () => {
  const at = await world();
  const rotation = at.begin();
  await rotation.start();
  await at.clock.advance(1_000);
  const [first] = await at.open();
  assert.ok(first);
  assert.equal(first.spec.signerName, 'kubernetes.io/kube-apiserver-client-kubelet');
  assert.deepEqual(first.spec.usages, ['digital signature', 'client auth']);
  assert.equal(rotation.current !== undefined, false);
  await at.decide(first, 'Approved');
  await at.clock.advance(100);
  const one = await rotation.obtained();
  assert.deepEqual(one.parsed.subject, nodeSubject('node-1'));
  assert.match(await at.host.files.readLink(rotation.currentPath), /^kubelet-client-2026-01-01-00-00-\d\d\.pem$/);
  assert.equal((await at.host.files.stat(rotation.currentPath)).mode & 0o777, 0o600);
  assert.deepEqual(at.askedBy, ['token']);

  await at.clock.advance(6.9 * HOUR_MS);
  assert.deepEqual(await at.open(), [], 'not before 70 % of its life');
  let [second] = await at.open();
  for (let minutes = 0; !second && minutes < 132; minutes += 10) {
    await at.clock.advance(10 * 60_000);
    [second] = await at.open();
  }
  assert.ok(second, 'before 91 % of its life');
  assert.equal(rotation.current, one, 'the old one is good until there is another');
  const told: string[] = [];
  using _handler = rotation.on(({ parsed }) => void told.push(parsed.fingerprint));
  await at.decide(second, 'Approved');
  await at.clock.advance(100);
  assert.notEqual(rotation.current?.parsed.fingerprint, one.parsed.fingerprint);
  assert.notEqual(rotation.current?.privateKeyPem, one.privateKeyPem, 'with a key of its own');
  assert.deepEqual(told, [rotation.current?.parsed.fingerprint]);
  assert.deepEqual(at.askedBy, ['token', 'itself']);
  await rotation.stop();

  const again = at.begin();
  await again.start();
  assert.equal(again.current?.parsed.fingerprint, told[0], 'a new kubelet takes up what is on disk');
  assert.deepEqual(await at.open(), []);
  await again.stop();
});

test('who was killed while waiting waits on for the same request', async () => {
  const at = await world();
  const killed = at.begin();
  await killed.start();
  await at.clock.advance(1_000);
  await killed.stop();
  const next = at.begin();
  await next.start();
  await at.clock.advance(1_000);
  const open = await at.open();
  assert.equal(open.length, 1);
  await at.decide(open[0]!, 'Approved');
  await at.clock.advance(100);
  assert.ok(next.current);
  assert.deepEqual(
    (await at.host.files.list('/pki')).filter((name) => name.endsWith('.tmp')),
    [],
  );
  await next.stop();
});

test('after a refusal, and when nobody answers, it is asked for again with another key', async () => {
  const at = await world();
  const rotation = at.begin();
  await rotation.start();
  await at.clock.advance(1_000);
  const [first] = await at.open();
  await at.decide(first!, 'Denied');
  await at.clock.advance(5_000);
  const [second] = await at.open();
  assert.notEqual(second?.spec.request, first?.spec.request);
  await at.clock.advance(15 * 60_000 + 10_000);
  assert.equal((await at.open()).length, 2, 'the one that nobody answered, and a new one');
  assert.equal(rotation.current, undefined);
  await rotation.stop();
});

test('a server’s certificate waits for addresses, and is renewed when they change', async () => {
  let addresses: { type: string; address: string }[] = [];
  const at = await world({
    purpose: 'serving',
    wanted: () => {
      const names = servingNames(addresses);
      return names && { subject: nodeSubject('node-1'), names };
    },
  });
  const rotation = at.begin();
  await rotation.start();
  await at.clock.advance(HOUR_MS);
  assert.deepEqual((await at.resource.list()).items, []);
  for (const address of ['10.0.0.1', '10.0.0.2']) {
    addresses = [{ type: 'InternalIP', address }];
    rotation.poke();
    await at.clock.advance(1_000);
    const [request] = await at.open();
    assert.equal(request?.spec.signerName, 'kubernetes.io/kubelet-serving');
    assert.deepEqual(request?.spec.usages, ['digital signature', 'server auth']);
    await at.decide(request!, 'Approved');
    await at.clock.advance(100);
    assert.deepEqual(rotation.current?.parsed.names.ip, [address]);
  }
  await rotation.stop();
});

test('a wall clock that is set does not stop renewals', async () => {
  const at = await world();
  const rotation = at.begin();
  await rotation.start();
  await at.clock.advance(1_000);
  await at.decide((await at.open())[0]!, 'Approved');
  await at.clock.advance(100);
  at.clock.jump(8 * HOUR_MS + HOUR_MS);
  await at.clock.advance(61_000);
  assert.equal((await at.open()).length, 1);
  await rotation.stop();
});
