import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './base64.ts';
import { der, integer, oid, readChildren, readDer, readOid, readTime, sequence, TAG, time, utf8 } from './x509/der.ts';
import { formatIp, parseIp } from './x509/ip-bytes.ts';
import { decodePem, encodePem } from './x509/pem.ts';

const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

test('base64 is Node’s, in both alphabets, for every length', () => {
  for (let length = 0; length < 70; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 151 + length * 37) & 0xff);
    assert.equal(encodeBase64(data), Buffer.from(data).toString('base64'));
    assert.equal(encodeBase64Url(data), Buffer.from(data).toString('base64url'));
    assert.deepEqual(decodeBase64(encodeBase64(data)), data);
    assert.deepEqual(decodeBase64Url(encodeBase64Url(data)), data);
  }
  assert.equal(encodeBase64Url('ä?>'), 'w6Q_Pg');
});

test('base64 has one spelling for each value', () => {
  for (const bad of ['A', 'AB=', 'A===', 'AB', 'AB==', 'QUI', 'QQ==\n', 'Q Q=', 'QUI_', 'ÄQUI', '====']) {
    assert.equal(decodeBase64(bad), undefined, bad);
  }
  for (const bad of ['A', 'AB', 'QQ==', 'QU+/', 'QUJ', 'QUI=']) assert.equal(decodeBase64Url(bad), undefined, bad);
});

test('addresses: canonical text, and what is none', () => {
  const table: [string, string][] = [
    ['0.0.0.0', '0.0.0.0'],
    ['255.10.0.1', '255.10.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['fe80:0:0:0:0:0:0:1', 'fe80::1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ];
  for (const [text, canonical] of table) assert.equal(formatIp(parseIp(text)!), canonical, text);
  const none = ['', '1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', ' 1.2.3.4', '1.2.3.4 ', ':', ':::', '1::2::3'];
  const none6 = [
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '[::1]',
    '1.2.3.4::',
  ];
  for (const text of [...none, ...none6]) assert.equal(parseIp(text), undefined, text);
});

test('DER is written as X.690 says', () => {
  assert.equal(hex(sequence(integer(1), oid('2.5.4.3'), utf8('x'))), '300b02010106035504030c0178');
  assert.equal(hex(oid('1.2.840.113549.1.1.11')), '06092a864886f70d01010b');
  assert.equal(hex(integer(0)), '020100');
  assert.equal(hex(integer(128)), '02020080');
  assert.equal(hex(integer(Uint8Array.of(0, 0, 127))), '02017f');
  assert.equal(hex(der(4, new Uint8Array(127))).slice(0, 4), '047f');
  assert.equal(hex(der(4, new Uint8Array(128))).slice(0, 6), '048180');
  assert.equal(hex(der(4, new Uint8Array(256))).slice(0, 8), '04820100');
  assert.equal(new TextDecoder().decode(time(Date.UTC(2049, 11, 31, 23, 59, 59)).subarray(2)), '491231235959Z');
  assert.equal(new TextDecoder().decode(time(Date.UTC(2050, 0, 1)).subarray(2)), '20500101000000Z');
});

test('DER that is read is what was written, and nothing else', () => {
  for (const id of ['2.5.29.17', '1.3.101.112', '2.999.1', '1.2.840.10045.4.3.2']) {
    assert.equal(readOid(readDer(oid(id))), id);
  }
  for (const ms of [0, Date.UTC(1999, 1, 3), Date.UTC(2049, 11, 31), Date.UTC(2050, 0, 1), Date.UTC(9999, 0, 1)]) {
    assert.equal(readTime(readDer(time(ms))), ms);
  }
  const bad: [string, string][] = [
    ['nothing', ''],
    ['no length', '30'],
    ['cut short', '300201'],
    ['left over', '020101ff'],
    ['indefinite', '30800000'],
    ['too long a length', '0485000000000100'],
    ['not the shortest', '048101ff'],
    ['not the shortest either', '0482007f' + '00'.repeat(127)],
    ['a high tag', '1f0100'],
  ];
  for (const [what, text] of bad) assert.throws(() => readDer(Buffer.from(text, 'hex')), { name: 'DerError' }, what);
  assert.throws(() => readChildren(readDer(integer(1))), { name: 'DerError' });
  assert.throws(() => readOid(readDer(Uint8Array.of(TAG.oid, 1, 0x80))), { name: 'DerError' });
  assert.throws(() => readTime(readDer(der(TAG.utcTime, Buffer.from('2601310800Z')))), { name: 'DerError' });
});

test('PEM: blocks in order, text around them and broken ones passed over', () => {
  const a = encodePem('CERTIFICATE', new Uint8Array(100));
  assert.ok(a.split('\n').every((line) => line.length <= 64));
  const b = encodePem('EC PRIVATE KEY', Uint8Array.of(1));
  const broken = '-----BEGIN X-----\n!!!\n-----END X-----\n';
  const blocks = decodePem(`subject: x\r\n${a.replaceAll('\n', '\r\n')}${broken}${b}`);
  assert.deepEqual(
    blocks.map((block) => [block.label, block.der.length]),
    [
      ['CERTIFICATE', 100],
      ['EC PRIVATE KEY', 1],
    ],
  );
  assert.deepEqual(decodePem('-----BEGIN X-----\nAQ==\n-----END Y-----\n'), []);
});
