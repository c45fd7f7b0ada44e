import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as cidr from './cidr.ts';
import * as ip from './ip.ts';

const at = (text: string): ip.Ip => {
  const found = ip.parseIpSloppy(text);
  assert.ok(found, text);
  return found;
};
const net = (text: string): cidr.Cidr => {
  const found = cidr.parseCidr(text);
  assert.ok(found, text);
  return found.network;
};

test('canonical spelling', () => {
  const table: [string, string | undefined][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['010.1.2.003', '10.1.2.3'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['fe80::1%eth0', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1::2::3', undefined],
    [':1', undefined],
    ['1:2:3:4:5:6:7::8', undefined],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['12345::', undefined],
    ['::1.2.3', undefined],
    ['1.2.3.4::', undefined],
    ['1.2.3', undefined],
    ['1.2.3.4.5', undefined],
    ['1.2.3.256', undefined],
    ['1.2.3.', undefined],
    ['', undefined],
    ['x', undefined],
    ['1.2.3.4 ', undefined],
    [':1.2.3.4', undefined],
    [':::1.2.3.4', undefined],
  ];
  for (const [text, want] of table) assert.equal(ip.canonicalIp(text), want, text);
  assert.equal(ip.parseIp('010.1.2.3'), undefined);
});

test('kinds of address', () => {
  const yes: [(ip: ip.Ip) => boolean, string[], string[]][] = [
    [ip.isLoopback, ['127.9.9.9', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '::2']],
    [ip.isUnspecified, ['0.0.0.0', '::'], ['::1']],
    [ip.isLinkLocal, ['169.254.1.1', 'fe80::1', 'febf::1'], ['169.255.0.1', 'fec0::1']],
    [ip.isMulticast, ['224.1.2.3', 'ff02::1'], ['223.0.0.1', 'fe00::1']],
    [ip.isLinkLocalMulticast, ['224.0.0.251', 'ff02::fb'], ['224.0.1.1', 'ff05::1']],
    [ip.isMapped, ['::ffff:1.2.3.4'], ['1.2.3.4', '::1.2.3.4']],
  ];
  for (const [check, good, bad] of yes) {
    for (const text of good) assert.ok(check(at(text)), `${check.name} ${text}`);
    for (const text of bad) assert.ok(!check(at(text)), `not ${check.name} ${text}`);
  }
  assert.equal(ip.ipVersion('::ffff:1.2.3.4'), 4);
  assert.ok(ip.sameIp(at('::ffff:1.2.3.4'), at('1.2.3.4')));
  assert.equal(ip.formatIp(ip.offsetIp(at('10.0.0.255'), 1) as ip.Ip), '10.0.1.0');
  assert.equal(ip.offsetIp(at('255.255.255.255'), 1), undefined);
  assert.equal(ip.reverseName(at('192.0.2.1')), '1.2.0.192.in-addr.arpa');
  assert.match(ip.reverseName(at('2001:db8::1')), /^1\.0\.0\..*\.8\.b\.d\.0\.1\.0\.0\.2\.ip6\.arpa$/);
  assert.ok(ip.compareIp(at('10.0.0.2'), at('10.0.0.10')) < 0 && ip.compareIp(at('255.0.0.0'), at('::')) < 0);
});

test('networks', () => {
  const table: [string, string | undefined][] = [
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::5/64', '2001:db8::/64'],
    ['1.2.3.4/32', '1.2.3.4/32'],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/08', undefined],
    ['10.0.0.0', undefined],
    ['10.0.0.0/', undefined],
    ['::/129', undefined],
    ['010.0.0.0/8', undefined],
  ];
  for (const [text, want] of table) {
    const found = cidr.parseCidr(text);
    assert.equal(found && cidr.formatCidr(found.network), want, text);
  }
  assert.ok(cidr.parseCidrSloppy('010.0.0.0/08'));
  assert.ok(
    cidr.cidrContains(net('10.0.0.0/8'), at('10.255.255.255')) && !cidr.cidrContains(net('10.0.0.0/8'), at('11.0.0.0')),
  );
  assert.ok(
    cidr.cidrContains(net('10.0.0.0/8'), at('::ffff:10.1.1.1')) && !cidr.cidrContains(net('::/0'), at('10.1.1.1')),
  );
  assert.ok(
    cidr.cidrsOverlap(net('10.0.0.0/8'), net('10.1.0.0/16')) &&
      !cidr.cidrsOverlap(net('10.0.0.0/16'), net('10.1.0.0/16')),
  );
  assert.ok(
    cidr.cidrCovers(net('10.0.0.0/8'), net('10.0.0.0/8')) && !cidr.cidrCovers(net('10.1.0.0/16'), net('10.0.0.0/8')),
  );
  assert.equal(cidr.cidrSize(net('10.96.0.0/12')), 1048576n);
  assert.equal(ip.formatIp(cidr.addressAt(net('10.96.0.0/12'), 10) as ip.Ip), '10.96.0.10');
  assert.equal(cidr.addressAt(net('10.0.0.0/30'), 4), undefined);
  assert.equal(cidr.indexOf(net('10.96.0.0/12'), at('10.96.1.0')), 256n);
  assert.equal(cidr.formatCidr(cidr.subnetAt(net('10.244.0.0/16'), 24, 3) as cidr.Cidr), '10.244.3.0/24');
  assert.equal(cidr.subnetAt(net('10.244.0.0/16'), 24, 256), undefined);
});
