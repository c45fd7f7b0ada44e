import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.ts';
import * as names from './names.ts';

const long = (length: number): string => 'a'.repeat(length);

/** What is wrong, shortened to a word or two of each message. */
test('which texts pass', () => {
  const table: [(text: string) => string[], string[], [string, RegExp[]][]][] = [
    [
      names.dns1123Label,
      ['a', 'a-1', '1', long(63)],
      [
        ['', [/^a lowercase RFC 1123 label/]],
        ['A', [/label/]],
        ['a.b', [/^must not contain dots$/]],
        ['a..b', [/label/]],
        [`${long(64)}.b`, [/63 characters/, /dots/]],
        [long(64), [/^must be no more than 63 characters$/]],
        ['-a', [/label/]],
      ],
    ],
    [
      names.dns1123Subdomain,
      ['a.b-c.d', long(253)],
      [
        ['a..b', [/subdomain/]],
        [long(254), [/253 characters/]],
        ['a_b', [/subdomain/]],
        ['é', [/subdomain/]],
      ],
    ],
    [names.dns1123SubdomainWithUnderscore, ['_a.b_c'], [['a b', [/'_', '-' or '.'/]]]],
    [
      names.wildcardDns1123Subdomain,
      ['*.a.com'],
      [
        ['*', [/wildcard/]],
        ['*.*.com', [/wildcard/]],
      ],
    ],
    [names.dns1035Label, ['a-1'], [['1a', [/DNS-1035/]]]],
    [
      names.qualifiedName,
      ['a', 'A_b.c', 'example.com/a', `${long(253)}/${long(63)}`],
      [
        ['', [/^name part must be non-empty$/, /^name part must consist/]],
        ['a b', [/^name part must consist/]],
        ['/a', [/^prefix part must be non-empty$/]],
        ['A/b', [/^prefix part a lowercase/]],
        ['a/b/c', [/^a valid label key must consist .* \(e\.g\. 'example\.com\/MyName'\)$/]],
        [long(64), [/^name part must be no more than 63 bytes$/]],
      ],
    ],
    [
      names.labelValue,
      ['', 'a', 'A.b_c-1'],
      [
        ['a b', [/^a valid label must be an empty string/]],
        [long(64), [/63 bytes/]],
        ['-', [/valid label/]],
      ],
    ],
    [
      names.configMapKey,
      ['a.B_c-1', '.a'],
      [
        ['', [/config key/]],
        ['.', [/^must not be '\.'$/]],
        ['..', [/^must not be '\.\.'$/]],
        ['..a', [/^must not start with/]],
        ['a/b', [/config key/]],
      ],
    ],
    [names.cIdentifier, ['_a1'], [['1', [/C identifier/]]]],
    [
      names.envVarName,
      ['a b', '1!', '~'],
      [
        ['', [/non-empty/]],
        ['a=b', [/printable ASCII/]],
        ['é', [/printable/]],
      ],
    ],
    [names.httpHeaderName, ['X-A'], [['a b', [/HTTP header/]]]],
    [
      names.pathSegmentName,
      ['a b', 'é'],
      [
        ['.', [/^may not be '\.'$/]],
        ['a/%', [/'\/'/, /'%'/]],
      ],
    ],
    [
      names.portName,
      ['http', 'a-1'],
      [
        ['', [/only alpha-numeric/, /one letter/]],
        ['8080', [/one letter/]],
        ['a--b', [/consecutive/]],
        ['-a', [/begin or end/]],
        ['a-name-over-15ch', [/15 characters/]],
        ['Http', [/only alpha-numeric/]],
      ],
    ],
    [
      names.percent,
      ['1%', '100%'],
      [
        ['1', [/percent/]],
        ['%', [/percent/]],
      ],
    ],
    [names.fullyQualifiedName, ['a.b.c'], [['a.b', [/three segments/]]]],
    [names.fullyQualifiedDomainName, ['a.b', 'a.b.'], [['a', [/two segments/]]]],
    [
      names.domainPrefixedPath,
      ['acme.io/foo'],
      [
        ['acme.io/', [/domain-prefixed/]],
        ['foo', [/domain-prefixed/]],
        ['a.io/b c', [/Invalid path/]],
      ],
    ],
  ];
  for (const [check, good, bad] of table) {
    for (const text of good) assert.deepEqual(check(text), [], `${check.name} ${text}`);
    for (const [text, messages] of bad) {
      const got = check(text);
      assert.equal(got.length, messages.length, `${check.name} ${text}: ${got}`);
      for (const [i, message] of messages.entries()) assert.match(got[i] as string, message);
    }
  }
});

test('numbers', () => {
  assert.deepEqual(names.port(0), ['must be between 1 and 65535, inclusive']);
  assert.deepEqual(names.port(65535n), []);
  assert.deepEqual(names.userId(-1), ['must be between 0 and 2147483647, inclusive']);
});

test('a message in full', () => {
  assert.equal(
    names.dns1123Label('A')[0],
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  );
});

test('made names', () => {
  const random = new SeededRandom('names');
  assert.match(names.generateName('web-', random), /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(names.generateName(long(100), random).length, 63);
  assert.match(names.safeEncode('59c4f8d'), /^[bcdfghjklmnpqrstvwxz2456789]{7}$/);
});
